//! Producers and consumers: start, kill, pause, resume, start again, stop.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use kplan_dsl::{
    steps::{
        KillClient, PauseClient, ResumeClient, StartClient, StartConsumer, StartProducer,
        StopClient,
    },
    value::{self, Clients},
};

use crate::{
    audit,
    client::{of_plan, protocol::Position, settings, spec::Common},
    event::{Event, SettingsOf},
    observer::ClusterView,
    stage::{
        Running,
        clients::{Client, Member, Template, shown},
        faults::Struck,
        outcome::{Done, StepError},
    },
    steps::Cx,
};

/// `start_producer`
pub async fn start_producer(args: &StartProducer, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let common = common(&args.name, args.user.as_deref(), &args.config, &running, cx)?;
    let partitions = partitions(&args.topic, &running).await?;
    let spec = of_plan::producer(args, common, partitions, cx.stage.run.seed);
    begin(&args.name, Template::Producer(spec), 1, cx).await
}

/// How many partitions a topic has that is written to.
pub(super) async fn partitions(topic: &str, running: &Running) -> Result<u32, StepError> {
    let count = running.observer.fresh().await.partitions(Some(topic)).count();
    let known = u32::try_from(count).ok().filter(|n| *n > 0);
    known.ok_or_else(|| StepError::lacks(format!("no living broker knows the topic {topic}")))
}

/// `start_consumer`
pub async fn start_consumer(args: &StartConsumer, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let common = common(&args.name, args.user.as_deref(), &args.config, &running, cx)?;
    let spec = of_plan::consumer(args, common);
    running.cluster.topics().expect_group(&spec.group);
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
    settings.extend(of_plan::config(config));
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
    cx.stage.tell.emit(Event::Configured {
        who: SettingsOf::Client(name.to_owned()),
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
const PAUSED: Fit =
    Fit { is: |member| member.lives() && !member.runs(), otherwise: "is not paused" };
const DEAD: Fit = Fit { is: |member| !member.lives(), otherwise: "runs already" };

/// The members that a step works on: of those that it names, whole clients or single members, those that
/// fit. The others are said to be left out. If none fits all are meant, and the step fails of them.
fn chosen(clients: &Clients, fit: Fit, cx: &Cx<'_>) -> Result<Vec<Chosen>, StepError> {
    let named = named(clients, cx)?;
    let fits = |client: &Client, i: &usize| (fit.is)(&client.members[*i]);
    if !named.iter().any(|(client, members)| members.iter().any(|i| fits(client, i))) {
        return Ok(named);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for (client, members) in named {
        let (fit_ones, out): (Vec<usize>, Vec<usize>) =
            members.into_iter().partition(|i| fits(&client, i));
        left_out(&client, &out, fit, cx);
        if !fit_ones.is_empty() {
            chosen.push((client, fit_ones));
        }
    }
    Ok(chosen)
}

/// The clients that a step names, each once, with the members that it names of them.
fn named(clients: &Clients, cx: &Cx<'_>) -> Result<Vec<Chosen>, StepError> {
    let mut all: Vec<Chosen> = Vec::new();
    for one in clients.iter() {
        let client = cx.stage.clients.get(&one.client)?;
        let members: Vec<usize> = match one.member {
            None => (0..client.members.len()).collect(),
            Some(n) if (1..=client.members.len()).contains(&(n as usize)) => vec![n as usize - 1],
            Some(n) => {
                return Err(StepError::not_so(format!("{} has no member {n}", client.name)));
            }
        };
        match all.iter_mut().find(|(known, _)| known.name == client.name) {
            Some((_, known)) => known.extend(members),
            None => all.push((client, members)),
        }
    }
    for (_, members) in &mut all {
        members.sort_unstable();
        members.dedup();
    }
    Ok(all)
}

/// Says which of the members that it names a step does not work on.
fn left_out(client: &Client, members: &[usize], fit: Fit, cx: &Cx<'_>) {
    for member in members.iter().map(|i| &client.members[*i]) {
        let text = format!("{} {}: it is left out", shown(client, member), fit.otherwise);
        let step = cx.id.to_owned();
        cx.stage.tell.emit(Event::Note { step, text });
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
        let Struck::Client { client: name, member } = &fault.struck else { continue };
        if fault.step != *cx.id || fault.over_us.is_some() {
            continue;
        }
        let client = cx.stage.clients.get(name)?;
        let members = client.members.iter().position(|m| m.number == *member);
        let members = members.into_iter().collect();
        struck.push((client, members));
    }
    let back = each(&struck).map(async |(client, member)| match (member.lives(), member.runs()) {
        (true, true) => Ok(()),
        (true, false) => cx.stage.resume_member(cx.id, client, member).await,
        (false, _) => cx.stage.start_member(client, member).await,
    });
    worst_error(futures::future::join_all(back).await).map(drop)
}

/// `resume_client`
pub async fn resume(args: &ResumeClient, cx: &Cx<'_>) -> Result<Done, StepError> {
    let chosen = chosen(&args.client, PAUSED, cx)?;
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
