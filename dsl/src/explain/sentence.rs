//! One step as a sentence, with what it lists.

use std::sync::LazyLock;
use std::time::Duration;

use super::clause::clause;
use super::spoken;
use crate::conditions::Conditions;
use crate::facts::Kind;
use crate::plan::Step;
use crate::steps::{
    Assert, Chaos, Consume, CreateTopic, GivenMessage, Lasting, RestartBroker, StartCluster,
    StartConsumer, StartCopier, StartProducer, Transactional, Until, Verb, Wait,
};
use crate::value::{Acks, Clients, CommitMode, Isolation, OffsetReset, Rate, RestartHow, Settings};
use crate::words;

/// A sentence, and the points of a list below it.
pub(super) struct Sentence {
    pub text: String,
    pub points: Vec<String>,
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self { text, points: Vec::new() }
    }
}

/// What a step does and under which conditions.
pub(super) fn sentence(step: &Step) -> Sentence {
    let Some(verb) = step.verb() else {
        let text = format!("{}, with arguments that are known when it runs", step.head.word);
        return Sentence::from(closed(text) + &asides(step));
    };
    let Sentence { text, points } = of_verb(verb);
    let ends = points.is_empty() && step.head.facts.kind != Kind::Flow && verb.during().is_empty();
    let end = if ends { closed(text) } else { text + ":" };
    let asides = asides(step);
    // A list follows its colon; what else is to be said stands before it.
    if end.ends_with(':') && !asides.is_empty() {
        return Sentence { text: format!("{} {end}", asides.trim()), points };
    }
    Sentence { text: end + &asides, points }
}

fn closed(text: String) -> String {
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

/// What every step may say beside its verb.
fn asides(step: &Step) -> String {
    let head = &step.head;
    let mut said = Vec::new();
    if let Some(when) = &head.when {
        let text = when.text().trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        said.push(match when.known() {
            Some(true) => format!("Only when `{text}`, which is so here."),
            Some(false) => format!("Left out here: only when `{text}`."),
            None => format!("Only when `{text}`."),
        });
    }
    if let Some(time) = &head.timeout {
        said.push(format!("Time limit: {}.", spoken(time.value)));
    }
    if let Some(error) = &head.expect_error {
        said.push(format!("Must fail with {error}."));
    }
    if head.optional {
        said.push(
            "Optional: a failure is reported, but the drill goes on and can pass.".to_owned(),
        );
    }
    if let Some(name) = &head.capture {
        said.push(format!("Remembered as `{name}`."));
    }
    said.iter().map(|s| format!(" {s}")).collect()
}

fn of_verb(verb: &Verb) -> Sentence {
    match verb {
        Verb::StartCluster(it) => Sentence::from(format!(
            "Start {} and wait until the brokers know each other",
            cluster(it)
        )),
        Verb::CreateTopic(it) => create_topic(it),
        Verb::KillBroker(it) => {
            lasting(format!("Kill {} with SIGKILL", it.broker), START, &it.lasting)
        }
        Verb::StopBroker(it) => {
            lasting(format!("Shut {} down gracefully", it.broker), START, &it.lasting)
        }
        Verb::PauseBroker(it) => lasting(format!("Freeze {}", it.broker), GO_ON, &it.lasting),
        Verb::PauseClient(it) => {
            lasting(format!("Freeze {}", processes(&it.client)), GO_ON, &it.lasting)
        }
        Verb::KillClient(it) => {
            let text = format!("Kill {} with SIGKILL", processes(&it.client));
            lasting(text, "start it again with the same settings", &it.lasting)
        }
        Verb::PartitionNetwork(_) | Verb::DegradeNetwork(_) => {
            lasting(bare(verb), "mend the network again", verb.lasting().unwrap_or(&NEVER))
        }
        Verb::FillDisk(it) => lasting(bare(verb), "free it again", &it.lasting),
        Verb::StartBroker(_) => {
            Sentence::from(format!("{}, and wait until the others list it", verb.explain()))
        }
        Verb::RestartBroker(it) => restart_broker(it),
        Verb::UpgradeBroker(it) => {
            let text = verb.explain();
            between(text, it.wait.as_ref())
        }
        Verb::StartProducer(it) => producer(it),
        Verb::StartConsumer(it) => consumer(it),
        Verb::StartCopier(it) => copier(it),
        Verb::StartClient(it) => {
            let again = "again, with the same settings";
            Sentence::from(format!("Start {} {again}", it.client))
        }
        Verb::StopClient(it) => {
            let ends =
                "producers wait for their last acknowledgements, consumers read to the log's end";
            Sentence::from(format!("Stop {}: {ends}", it.client))
        }
        Verb::Produce(it) => {
            let count = words::count(it.messages.len() as u64, "message");
            let text = format!("Send {count} to topic {}, at most {}", it.topic, spoken(it.within));
            Sentence { text, points: it.messages.iter().take(MOST).map(message).collect() }
        }
        Verb::Consume(it) => consume(it),
        Verb::Wait(it) => wait(it),
        Verb::Assert(it) => assert(it),
        Verb::Record(it) => {
            Sentence::from(format!("Note {} in the report; nobody judges them", recorded(&it.that)))
        }
        Verb::Describe(it) => match &it.topic {
            Some(topic) => {
                Sentence::from(format!("Put the state of topic {topic} into the report"))
            }
            None => Sentence::from("Put the state of the cluster into the report".to_owned()),
        },
        Verb::Chaos(it) => chaos(it),
        Verb::Parallel(_) => Sentence::from("Do at once".to_owned()),
        verb => Sentence::from(verb.explain()),
    }
}

/// The most messages that are shown of a list.
const MOST: usize = 8;

const START: &str = "start it again";
const GO_ON: &str = "let it go on";
/// A fault that another step undoes.
static NEVER: LazyLock<Lasting> = LazyLock::new(Lasting::default);

/// What a fault does, without how long it lasts.
fn bare(verb: &Verb) -> String {
    let mut verb = verb.clone();
    if let Some(lasting) = verb.lasting_mut() {
        *lasting = Lasting::default();
    }
    verb.explain()
}

/// A fault, when it is undone, and what that means for the steps behind it.
fn lasting(text: String, undo: &str, it: &Lasting) -> Sentence {
    Sentence::from(match (it.for_time, it.during.is_empty()) {
        (None, true) => text,
        (Some(time), true) => {
            format!("{text}, and {undo} after {}; only then the next step begins", spoken(time))
        }
        (None, false) => format!("{text}, and {undo} when these steps are done"),
        (Some(time), false) => {
            format!("{text}, and {undo} when {} have passed and these steps are done", spoken(time))
        }
    })
}

/// The cluster as a noun: `3 brokers of Kafka 4.1.1 with KRaft`.
pub(super) fn cluster(it: &StartCluster) -> String {
    let text = Verb::StartCluster(Box::new(it.clone())).explain();
    let text = text.strip_prefix("Start ").unwrap_or(&text).to_owned();
    let jvm: Vec<&str> = it.jvm.iter().flatten().map(|o| o.as_str()).collect();
    let mut more = settings(&it.config);
    if !jvm.is_empty() {
        more.push(format!("Java options {}", jvm.join(" ")));
    }
    if let Some(security) = &it.security {
        more.push(format!("clients talk {}", security.protocol));
    }
    bracketed(text, &more)
}

fn bracketed(text: String, more: &[String]) -> String {
    if more.is_empty() { text } else { format!("{text} ({})", more.join(", ")) }
}

fn settings(all: &Settings) -> Vec<String> {
    all.iter().map(|(k, v)| format!("{k}={v}")).collect()
}

fn create_topic(it: &CreateTopic) -> Sentence {
    let partitions = words::count(it.partition_count().into(), "partition");
    let text = format!("Create topic {} with {partitions}", it.name);
    let with = settings(&it.config);
    let Some(assignment) = &it.assignment else {
        let each = if it.partition_count() == 1 { "" } else { " each" };
        let replicas = it.replicas.as_ref().map(|n| words::count(n.value.into(), "replica"));
        let text = replicas.map_or(text.clone(), |n| format!("{text} of {n}{each}"));
        return Sentence::from(bracketed(text, &with));
    };
    let on = |(index, brokers): (usize, &Vec<crate::Spanned<u32>>)| match brokers.as_slice() {
        [one] => format!("partition {index} on broker {one}"),
        all => format!("partition {index} on brokers {}", words::list(all)),
    };
    let points = assignment.0.iter().enumerate().take(MOST).map(on).collect();
    Sentence { text: bracketed(text, &with), points }
}

fn restart_broker(it: &RestartBroker) -> Sentence {
    let how = match it.how {
        RestartHow::Stop => "Restart",
        RestartHow::Kill => "Kill and restart",
    };
    let down = match it.down_for {
        Duration::ZERO => String::new(),
        time => format!(", down for {}", spoken(time)),
    };
    let rolling = if it.rolling { ", one after the other" } else { "" };
    between(format!("{how} {}{down}{rolling}", it.broker), it.wait.as_ref().map(|w| &w.value))
}

/// With what must hold between one broker and the next.
fn between(text: String, wait: Option<&Conditions>) -> Sentence {
    match wait {
        Some(wait) => {
            Sentence { text: format!("{text}; before the next one"), points: clauses(wait) }
        }
        None => Sentence::from(text),
    }
}

fn processes(clients: &Clients) -> String {
    let one = clients.len() == 1;
    format!("the process{} of {clients}", if one { "" } else { "es" })
}

fn producer(it: &StartProducer) -> Sentence {
    let kind = match (&it.transactional, it.idempotent.value) {
        (Some(_), _) => "transactional producer",
        (None, true) => "idempotent producer",
        (None, false) => "producer",
    };
    let rate = match it.rate.value {
        Rate::Max => "as many messages as it can".to_owned(),
        Rate::PerSecond(n) => format!("{n} messages a second"),
    };
    let acks = match it.acks.value {
        Acks::None => "waits for no acknowledgement (acks=0)",
        Acks::Leader => "waits for the leader's acknowledgement (acks=1)",
        Acks::All => "waits until all in-sync replicas have them (acks=all)",
    };
    let mut more = Vec::new();
    if let Some(count) = &it.count {
        more.push(format!("{count} messages in all"));
    }
    if let Some(Transactional { messages, abort }) = it.transactional.as_ref().map(|t| &t.value) {
        more.push(format!("{messages} messages a transaction"));
        if abort.0 > 0.0 {
            more.push(format!("{abort} of the transactions aborted"));
        }
    }
    if let Some(keys) = &it.keys {
        more.push(format!("{keys} different keys"));
    }
    if !it.headers.0.is_empty() {
        more.push(format!("headers {}", words::list(&settings(&it.headers))));
    }
    if it.payload.min != it.payload.max {
        more.push(format!("values of {} to {}", it.payload.min, it.payload.max));
    }
    if let Some(compression) = &it.compression {
        more.push(format!("compressed with {compression}"));
    }
    more.extend(settings(&it.config));
    let text =
        format!("Start {kind} {}: it sends {rate} to topic {} and {acks}", it.name, it.topic);
    Sentence::from(if more.is_empty() { text } else { format!("{text}; {}", more.join(", ")) })
}

fn consumer(it: &StartConsumer) -> Sentence {
    let members = match it.members.value {
        1 => String::new(),
        n => format!(" with {}", words::count(n.into(), "member")),
    };
    let topic = if it.topics.len() == 1 { "topic" } else { "topics" };
    let from = match it.from {
        OffsetReset::Earliest => "from the log's start",
        OffsetReset::Latest => "from the log's end",
    };
    let mut more = Vec::new();
    match it.commit {
        CommitMode::Auto => {}
        CommitMode::Sync => more.push("commits after each batch".to_owned()),
        CommitMode::None => more.push("never commits".to_owned()),
    }
    if it.fixed.value {
        more.push("keeps its members' places while they are away for a short time".to_owned());
    }
    if it.isolation == Isolation::ReadUncommitted {
        more.push("sees uncommitted messages too".to_owned());
    }
    more.extend(settings(&it.config));
    let (name, topics, group) = (&it.name, &it.topics, it.group_name());
    let text =
        format!("Start consumer {name}{members}: group {group} reads {topic} {topics} {from}");
    Sentence::from(if more.is_empty() { text } else { format!("{text}; it {}", more.join(", ")) })
}

fn copier(it: &StartCopier) -> Sentence {
    let (name, from, to, group) = (&it.name, &it.from, &it.to, it.group_name());
    let mut text = format!(
        "Start copier {name}: group {group} copies topic {from} to {to}, each message exactly once, \
         in transactions of at most {}",
        words::count(it.messages.value.into(), "message")
    );
    if it.isolation == Isolation::ReadUncommitted {
        text.push_str("; it copies uncommitted messages too");
    }
    let more = settings(&it.config);
    Sentence::from(if more.is_empty() { text } else { format!("{text}; {}", more.join(", ")) })
}

fn message(it: &GivenMessage) -> String {
    let part = |text: &Option<String>| {
        text.as_deref().map_or("nothing".to_owned(), |t| format!("\"{t}\""))
    };
    match &it.key {
        Some(_) => format!("key {}, value {}", part(&it.key), part(&it.value)),
        None => format!("value {}", part(&it.value)),
    }
}

fn consume(it: &Consume) -> Sentence {
    let until = match it.until.value {
        Until::End => "to its end".to_owned(),
        Until::Count(n) => format!("until {} came", words::count(n, "message")),
    };
    let text = format!("Read topic {} {until}", it.topic);
    match &it.expect {
        Some(expect) => Sentence {
            text: format!("{text}, and check that among them are"),
            points: expect.iter().take(MOST).map(message).collect(),
        },
        None => Sentence::from(text),
    }
}

fn wait(it: &Wait) -> Sentence {
    match it {
        Wait::Pause(time) => Sentence::from(format!("Wait {}", spoken(time.value))),
        Wait::Until(it) => {
            let within = spoken(it.within.value);
            match it.until.as_ref() {
                [one] => Sentence::from(format!("Wait until {}, at most {within}", clause(one))),
                _ => Sentence {
                    text: format!("Wait, at most {within}, until all of this is so"),
                    points: clauses(&it.until),
                },
            }
        }
    }
}

/// `acked, lost and duplicated messages`: a word that all share is said once.
fn recorded(all: &Conditions) -> String {
    let all: Vec<String> = all.iter().map(|c| c.explain()).collect();
    let bare: Option<Vec<&str>> = all.iter().map(|text| text.strip_suffix(" messages")).collect();
    match bare {
        Some(bare) => format!("the numbers of {} messages", words::list(&bare)),
        None => words::list(&all),
    }
}

fn clauses(all: &Conditions) -> Vec<String> {
    all.iter().map(|c| clause(c)).collect()
}

fn assert(it: &Assert) -> Sentence {
    let since = it.since.as_ref().map(|s| format!(" of the end of \"{s}\"")).unwrap_or_default();
    let when = match (&it.within, &it.for_time) {
        (Some(time), _) => format!(" within {}{since}", spoken(time.value)),
        (None, Some(time)) => format!(" throughout {}{since}", spoken(time.value)),
        (None, None) => String::new(),
    };
    match it.that.as_ref() {
        [one] => Sentence::from(format!("Check that{when} {}", clause(one))),
        _ => Sentence {
            text: format!("Check that{when} all of this is so"),
            points: clauses(&it.that),
        },
    }
}

fn chaos(it: &Chaos) -> Sentence {
    let (time, every) = (spoken(it.for_time.value), spoken(it.every.value));
    let keep = match &it.keep {
        Some(keep) => format!(", never so that this would end: {}", words::list(&clauses(keep))),
        None => String::new(),
    };
    let fault = |fault: &crate::steps::ChaosFault| match (fault.for_time, fault.verb.for_time()) {
        (Some(time), None) => format!("{}, for {}", fault.verb.explain(), spoken(time)),
        _ => fault.verb.explain(),
    };
    Sentence {
        text: format!("For {time}, every {every}, break something chosen by the run's seed{keep}"),
        points: it.faults.iter().map(fault).collect(),
    }
}
