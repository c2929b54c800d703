//! Producers and consumers: start, kill, pause, resume, start again, stop.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use kplan_dsl::{
    Spanned,
    steps::{
        KillClient, PauseClient, ResumeClient, StartClient, StartConsumer, StartProducer,
        StopClient,
    },
    value::{self, Clients, MemberRef, Rate},
};

use crate::{
    audit,
    client::{
        protocol::Position,
        settings,
        spec::{
            Acks, Commit, Common, ConsumerSpec, Isolation, ProducerSpec, StartFrom, Transactional,
        },
    },
    conductor::{
        clients::{Client, Member, Template, shown},
        faults::Struck,
        outcome::{Done, StepError},
        stage::Running,
    },
    event::Event,
    observer::ClusterView,
    steps::Cx,
};

/// `start_producer`
pub async fn start_producer(args: &StartProducer, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let topic = args.topic.to_string();
    let partitions = running.observer.fresh().await.partitions(Some(&topic)).count();
    let spec = ProducerSpec {
        common: common(&args.name, args.user.as_deref(), &args.config, &running, cx)?,
        partitions: u32::try_from(partitions)
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| StepError::lacks(format!("no living broker knows the topic {topic}")))?,
        topic,
        rate: match *args.rate {
            Rate::PerSecond(rate) => Some(rate),
            Rate::Max => None,
        },
        acks: match *args.acks {
            value::Acks::None => Acks::None,
            value::Acks::Leader => Acks::Leader,
            value::Acks::All => Acks::All,
        },
        idempotent: *args.idempotent,
        transactional: args
            .transactional
            .as_deref()
            .map(|t| Transactional { messages: *t.messages, abort_percent: t.abort.0 }),
        payload_bytes: u32::try_from(args.payload.min.0).unwrap_or(u32::MAX),
        payload_most: Some(u32::try_from(args.payload.max.0).unwrap_or(u32::MAX)),
        headers: args.headers.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        keys: args.keys.as_deref().copied(),
        count: args.count.as_deref().copied(),
        compression: args.compression.as_deref().map(ToString::to_string),
        seed: cx.stage.run.seed,
    };
    begin(&args.name, Template::Producer(spec), 1, cx).await
}

/// `start_consumer`
pub async fn start_consumer(args: &StartConsumer, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let spec = ConsumerSpec {
        common: common(&args.name, args.user.as_deref(), &args.config, &running, cx)?,
        topics: args.topics.iter().map(ToString::to_string).collect(),
        group: args
            .group
            .as_deref()
            .map_or_else(|| format!("kplan-{}", *args.name), ToString::to_string),
        from: match args.from {
            value::OffsetFrom::Earliest => StartFrom::Earliest,
            value::OffsetFrom::Latest => StartFrom::Latest,
        },
        commit: match args.commit {
            value::CommitMode::Auto => Commit::Auto,
            value::CommitMode::Sync => Commit::Sync,
            value::CommitMode::None => Commit::None,
        },
        isolation: match args.isolation {
            value::Isolation::ReadCommitted => Isolation::ReadCommitted,
            value::Isolation::ReadUncommitted => Isolation::ReadUncommitted,
        },
        fixed: *args.fixed,
    };
    running.cluster.expect_group(&spec.group);
    let members = u16::try_from(*args.members).unwrap_or(u16::MAX);
    begin(&args.name, Template::Consumer(spec), members, cx).await
}

pub(super) fn common(
    name: &str,
    user: Option<&value::UserName>,
    config: &value::Settings,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<Common, StepError> {
    let user = user.map(value::UserName::as_str);
    let mut settings: IndexMap<String, String> = running.cluster.user_config(user)?;
    settings.extend(config.iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
    Ok(Common {
        run: cx.stage.run.id.clone(),
        name: name.to_owned(),
        client_id: cx.stage.clients.next_id(),
        member: 1,
        life: 1,
        bootstrap: running.bootstrap(),
        dir: cx.stage.dir.clone(),
        config: settings,
        routes: running.cluster.router().map(|router| router.routes()),
    })
}

/// Starts the first life of all members at once.
pub(super) async fn begin(
    name: &str,
    template: Template,
    members: u16,
    cx: &Cx<'_>,
) -> Result<Done, StepError> {
    let settings = match &template {
        Template::Producer(spec) => settings::producer(spec),
        Template::Consumer(spec) => settings::consumer(spec),
        Template::Copier(spec) => settings::copier(spec),
    };
    let client = cx.stage.clients.add(name, template, members)?;
    cx.stage.run.sink.emit(Event::Configured {
        suite: cx.stage.suite,
        who: format!("client {name}"),
        settings: settings::shown(settings),
    });
    let starts = client.members.iter().map(|m| cx.stage.start_member(&client, m));
    worst_error(futures::future::join_all(starts).await)
}

/// The error that decides, if there is one.
fn worst_error(results: Vec<Result<(), StepError>>) -> Result<Done, StepError> {
    let worst = StepError::worst(results.into_iter().filter_map(Result::err));
    worst.map_or_else(|| Ok(Done::default()), Err)
}

/// A client and which of its members, by index.
type Chosen = (Arc<Client>, Vec<usize>);

/// What a member must be for a step to work on it, and what is said of one that is not.
#[derive(Clone, Copy)]
struct Fit {
    is: fn(&Member) -> bool,
    otherwise: &'static str,
}

const LIVES: Fit = Fit { is: Member::lives, otherwise: "does not run" };
const RUNS: Fit = Fit { is: Member::runs, otherwise: "does not run, or is paused" };
const DEAD: Fit = Fit { is: |member| !member.lives(), otherwise: "runs already" };

/// The clients and members that a step names. A member that is named is meant, whatever it is; of a whole
/// client those are that fit, and the others are said to be left out. If none fits all are meant, and the
/// step fails of them.
fn chosen(clients: &Clients, fit: Fit, cx: &Cx<'_>) -> Result<Vec<Chosen>, StepError> {
    clients.iter().map(|one| chosen_one(one, fit, cx)).collect()
}

fn chosen_one(one: &Spanned<MemberRef>, fit: Fit, cx: &Cx<'_>) -> Result<Chosen, StepError> {
    let client = cx.stage.clients.get(&one.client)?;
    let members = match one.member {
        None => {
            let all = 0..client.members.len();
            let (fits, out): (Vec<usize>, Vec<usize>) =
                all.clone().partition(|i| (fit.is)(&client.members[*i]));
            if fits.is_empty() {
                all.collect()
            } else {
                left_out(&client, &out, fit, cx);
                fits
            }
        }
        Some(n) if (n as usize) <= client.members.len() => vec![n as usize - 1],
        Some(n) => return Err(StepError::not_so(format!("{} has no member {n}", client.name))),
    };
    Ok((client, members))
}

/// Says which members of a whole client a step does not work on.
fn left_out(client: &Client, members: &[usize], fit: Fit, cx: &Cx<'_>) {
    for member in members.iter().map(|i| &client.members[*i]) {
        let text = format!("{} {}: it is left out", shown(client, member), fit.otherwise);
        let (suite, step) = (cx.stage.suite, cx.id.to_owned());
        cx.stage.run.sink.emit(Event::Note { suite, step, text });
    }
}

/// `kill_client`: all at once.
pub async fn kill(args: &KillClient, cx: &Cx<'_>) -> Result<(), StepError> {
    let chosen = chosen(&args.client, LIVES, cx)?;
    let kills = each(&chosen).map(|(c, m)| cx.stage.kill_member(cx.id, c, m));
    worst_error(futures::future::join_all(kills).await).map(drop)
}

/// `pause_client`
pub async fn pause(args: &PauseClient, cx: &Cx<'_>) -> Result<(), StepError> {
    let chosen = chosen(&args.client, RUNS, cx)?;
    let pauses = each(&chosen).map(|(c, m)| cx.stage.pause_member(cx.id, c, m));
    worst_error(futures::future::join_all(pauses).await).map(drop)
}

/// Undoes what this step did to clients and is not undone yet: starts those that it killed, and lets go those
/// that it froze.
pub async fn undo(cx: &Cx<'_>) -> Result<(), StepError> {
    let mut struck: Vec<Chosen> = Vec::new();
    for fault in cx.stage.breaks.of_step(cx.id) {
        let Struck::Client(name) = &fault.struck else { continue };
        if fault.step != cx.id || fault.over_us.is_some() {
            continue;
        }
        let client = cx.stage.clients.get(name)?;
        let meant = |m: &Member| fault.is_of(&shown(&client, m));
        let members = (0..client.members.len()).filter(|i| meant(&client.members[*i])).collect();
        struck.push((client, members));
    }
    let back = each(&struck).map(async |(client, member)| {
        if member.lives() {
            cx.stage.resume_member(cx.id, client, member).await
        } else {
            cx.stage.start_member(client, member).await
        }
    });
    worst_error(futures::future::join_all(back).await).map(drop)
}

/// `resume_client`
pub async fn resume(args: &ResumeClient, cx: &Cx<'_>) -> Result<Done, StepError> {
    let chosen = chosen(&args.client, LIVES, cx)?;
    let resumes = each(&chosen).map(|(c, m)| cx.stage.resume_member(cx.id, c, m));
    worst_error(futures::future::join_all(resumes).await)
}

/// `start_client`: the same settings, a new life.
pub async fn start(args: &StartClient, cx: &Cx<'_>) -> Result<Done, StepError> {
    let chosen = chosen(&args.client, DEAD, cx)?;
    let starts = each(&chosen).map(|(c, m)| cx.stage.start_member(c, m));
    worst_error(futures::future::join_all(starts).await)
}

fn each(chosen: &[(Arc<Client>, Vec<usize>)]) -> impl Iterator<Item = (&Arc<Client>, &Member)> {
    chosen.iter().flat_map(|(client, members)| {
        members.iter().filter_map(move |i| Some((client, client.members.get(*i)?)))
    })
}

/// What a stop leaves of its limit for reading the ends of the log.
const ENDS: Duration = Duration::from_secs(30);

/// `stop_client`: producers first, until each message has its report; then the end of the log is fixed,
/// and consumers read to it, commit and leave. Copiers do so before those who read their copies.
pub async fn stop(args: &StopClient, cx: &Cx<'_>) -> Result<Done, StepError> {
    let limit = cx.head.timeout.as_deref().copied().unwrap_or(Duration::from_secs(60));
    let end = std::time::Instant::now() + limit;
    // The step's own limit must not cut off the answer of who could not do it.
    let left = || end.saturating_duration_since(std::time::Instant::now()).mul_f64(0.95);
    let (mut readers, producers): (Vec<_>, Vec<_>) =
        chosen(&args.client, LIVES, cx)?.into_iter().partition(|(c, _)| c.reads());
    let stops = each(&producers).map(|(c, m)| cx.stage.stop_member(c, m, Vec::new(), left()));
    // What a producer that died had acknowledged is judged to the end: its readers end well too.
    let mut died = None;
    match worst_error(futures::future::join_all(stops).await) {
        Err(error) if error.goes_on() => died = Some(error),
        other => drop(other?),
    }
    while !readers.is_empty() {
        let fed: Vec<String> =
            readers.iter().filter(|(c, _)| c.sends()).flat_map(|(c, _)| c.topics()).collect();
        let waits = |c: &Client| c.read_topics().iter().any(|t| fed.contains(t));
        let (mut later, mut now): (Vec<_>, Vec<_>) =
            readers.into_iter().partition(|(c, _)| waits(c));
        if now.is_empty() {
            // Copiers in a circle: none is the first.
            std::mem::swap(&mut now, &mut later);
        }
        match stop_readers(&now, cx, left).await {
            Err(error) if error.goes_on() => died = died.or(Some(error)),
            other => other?,
        }
        readers = later;
    }
    died.map_or_else(|| Ok(Done::default()), Err)
}

/// Lets consumers and copiers read to the ends that their topics have now.
async fn stop_readers(
    readers: &[Chosen],
    cx: &Cx<'_>,
    left: impl Fn() -> Duration,
) -> Result<(), StepError> {
    all_given(readers, cx, left().min(ENDS)).await?;
    let ends = log_ends(readers, cx, left().min(ENDS)).await?;
    let stops = each(readers).map(|(c, m)| cx.stage.stop_member(c, m, ends.clone(), left()));
    worst_error(futures::future::join_all(stops).await)?;
    for (client, _) in readers {
        let own = client.read_topics();
        let at = |p: &Position| audit::At {
            topic: p.topic.clone(),
            partition: p.partition,
            offset: p.offset,
        };
        let read = ends.iter().filter(|p| own.contains(&p.topic)).map(at).collect();
        if !client.lives() {
            cx.stage.audits.caught_up(&client.name, read);
        }
    }
    Ok(())
}

/// Waits until somebody has the partitions of members that do not run any more: the group notices only after
/// their session's timeout, and what they have not read would be read by nobody. Only where this step ends
/// the last members: else somebody is left who reads on.
async fn all_given(readers: &[Chosen], cx: &Cx<'_>, limit: Duration) -> Result<(), StepError> {
    let view = cx.stage.running()?.observer.fresh().await;
    let end = std::time::Instant::now() + limit;
    for (client, members) in readers {
        let ends = |i: usize| members.contains(&i);
        let mut all = client.members.iter().enumerate();
        let crippled = client.members.iter().any(|m| !m.lives());
        if !crippled || all.any(|(i, m)| m.lives() && !ends(i)) {
            continue;
        }
        while let Some((topic, partition)) = not_given(client, &view, cx) {
            if std::time::Instant::now() >= end {
                let name = &client.name;
                return Err(StepError::TimedOut(format!(
                    "no member of {name} that runs was given {topic}/{partition} within {limit:?}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A partition that a client reads and that no living member of its group has now.
fn not_given(client: &Client, view: &ClusterView, cx: &Cx<'_>) -> Option<(String, u32)> {
    let group = client.group().map(|(name, _)| name);
    let all = cx.stage.clients.all();
    let own = all.iter().filter(|c| c.group().map(|(name, _)| name) == group);
    let given: Vec<Position> = own.flat_map(|c| c.given()).collect();
    let has = |topic: &str, partition: u32| {
        given.iter().any(|p| p.topic == topic && p.partition == partition)
    };
    let topics = client.read_topics();
    let mut read = topics.iter().flat_map(|topic| {
        view.partitions(Some(topic)).map(move |(_, p)| (topic.clone(), p.partition))
    });
    read.find(|(topic, partition)| !has(topic, *partition))
}

/// Where each partition of the topics that they read ends now.
async fn log_ends(
    readers: &[Chosen],
    cx: &Cx<'_>,
    limit: Duration,
) -> Result<Vec<Position>, StepError> {
    let mut topics: Vec<String> = readers.iter().flat_map(|(c, _)| c.read_topics()).collect();
    topics.sort();
    topics.dedup();
    let bounds = cx.stage.audit_bounds(&topics, limit).await?;
    if let Some(((topic, partition), why)) = bounds.not_ready.iter().next() {
        return Err(StepError::TimedOut(format!(
            "the end of {topic}/{partition} is not known: {why}"
        )));
    }
    let position = |((topic, partition), b): (&(String, u32), &crate::observer::Bounds)| Position {
        topic: topic.clone(),
        partition: *partition,
        offset: b.end,
    };
    Ok(bounds.ready.iter().map(position).collect())
}
