//! The evidence that a judgement needs: every condition is checked in this one place.
//!
//! Evidence is a property of the faults and of the traffic. That nothing was lost proves something about a
//! fault only if something was sent while it was in effect; a count `since` a step only if something was sent
//! after that step. Each condition declares in its own file what it needs; [`lack`] searches for it in a [`Scene`],
//! which is what the clients' histories and the plan's faults show. Both are pure. A judgement without evidence is
//! inconclusive, unless more traffic could not change it ([`Found::firm`]).

mod scene;

use kplan_dsl::{
    conditions::Condition,
    facts::Kind,
    value::{PartitionRef, StepName, TopicName},
};

use crate::{
    audit::Traffic,
    conditions::Found,
    event::Holds,
    history::now_us,
    stage::{
        clients::Client,
        faults::{Break, Struck},
        judge::{Judge, Looking},
    },
};

pub use scene::{Scene, Subject, Times};

/// The evidence that a judgement needs, and the judged time.
pub type RestsOn = (Needs, JudgedTime);

/// What a condition needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    pub traffic: Traffic,
    pub subject: Subject,
    /// The traffic must have gone on while each fault was in effect. Counts of successes prove nothing about faults.
    pub faults: bool,
    /// A reader that was killed or paused must have come back: the condition is about what it then read again.
    pub back: bool,
}

/// The time that is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedTime {
    /// Since, monotonic microseconds.
    pub from_us: i64,
    /// The step that it begins with, if one is named: then there must be traffic after it.
    pub since: Option<String>,
    /// The faults in the judged time.
    pub faults: Vec<Break>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub why: String,
    /// Nothing was judged: not even an otherwise certain judgement stands.
    pub total: bool,
}

impl Lack {
    fn some(why: String) -> Option<Self> {
        Some(Self { why, total: false })
    }
}

/// Weighs what a condition found: without its evidence it is inconclusive. A condition about the state at this moment
/// needs no evidence.
pub fn weigh(
    condition: &Condition,
    found: Found,
    rests_on: impl FnOnce() -> Option<RestsOn>,
    j: &Judge<'_>,
) -> Found {
    if let Err(why) = moments(condition, j) {
        return found.doubted(why);
    }
    if found.holds == Holds::Inconclusive {
        return found;
    }
    let Some((needs, time)) = rests_on() else { return found };
    let scene = Scene::of(&j.stage.clients.all());
    match lack(&needs, &time, &scene) {
        Some(lack) if lack.total || !found.firm => found.doubted(lack.why),
        _ => found,
    }
}

/// Checks that the steps that a condition counts from have run, and are not notes.
fn moments(condition: &Condition, j: &Judge<'_>) -> Result<(), String> {
    let own: Vec<&str> = condition.steps().iter().map(|step| step.as_str()).collect();
    let outer = own.is_empty() && condition.facts().takes_since;
    let named = if outer { j.since.into_iter().collect() } else { own };
    for name in named {
        if j.stage.plan.step_named(name).is_some_and(|step| step.head.facts.kind == Kind::Note) {
            return Err(format!("step \"{name}\" is a note: no time can be counted from it"));
        }
        if j.since(Some(name)).is_none() {
            return Err(format!("step \"{name}\" has not run: nothing came after it"));
        }
        if j.stage.timeline.named(name).is_some_and(|id| j.stage.breaks.left_out(&id)) {
            return Err(format!("step \"{name}\" did nothing: all of its faults were left out"));
        }
    }
    Ok(())
}

impl Subject {
    pub fn of(
        topic: Option<&TopicName>,
        partition: Option<&PartitionRef>,
        client: Option<String>,
    ) -> Self {
        let topic = topic.or(partition.map(|p| &p.topic)).map(ToString::to_string);
        Self { topic, partition: partition.map(|p| p.partition), client, service: None }
    }
}

impl Needs {
    /// The needs of a condition about one client.
    pub fn of_client(
        client: &Client,
        topic: Option<&TopicName>,
        partition: Option<&PartitionRef>,
        j: &Judge<'_>,
    ) -> Self {
        let name = Some(client.name.clone());
        let (traffic, subject) = match client.derives() {
            Some(_) => {
                let subject = Subject::of(topic, partition, None);
                (Traffic::Processed, Subject { service: name, ..subject })
            }
            None if client.sends() => (Traffic::Sent, Subject::of(topic, partition, name)),
            None => (Traffic::Read, Subject::of(topic, partition, name)),
        };
        // In the middle of the judged time a fault may have just begun: only the last look requires all evidence.
        let faults = !matches!(j.looking, Looking::Throughout { last: false });
        Self { traffic, subject, faults, back: false }
    }
}

impl JudgedTime {
    /// The time from a moment on; `since` is the step that began then, if one is named.
    pub fn of(from_us: i64, since: Option<String>, j: &Judge<'_>) -> Self {
        let from_us = from_us.max(j.faults_from_us);
        let mut faults = j.stage.breaks.list();
        faults.retain(|fault| fault.at_us >= from_us);
        Self { from_us, since, faults }
    }

    /// The time since a step: the condition's own `since`, or that of its step; without any, all of the time.
    pub fn since(own: Option<&StepName>, j: &Judge<'_>) -> Self {
        let name = own.map(StepName::as_str).or(j.since);
        let from_us = name.and_then(|name| j.since(Some(name)));
        Self::of(from_us.unwrap_or(i64::MIN), name.map(str::to_owned), j)
    }
}

/// The evidence that is missing for a judgement; none if it is complete.
pub fn lack(needs: &Needs, span: &JudgedTime, scene: &Scene) -> Option<Lack> {
    let subject = &needs.subject;
    let went_on = |times: Times| scene.went_on(needs.traffic, subject, times);
    let after = Times::of(span.from_us, i64::MAX);
    let what = scene::words(needs.traffic, subject);
    if let Some(step) = &span.since
        && !went_on(after)
    {
        return Lack::some(format!("{what} after step \"{step}\" began"));
    }
    let transactions = matches!(needs.traffic, Traffic::Transactions | Traffic::ReadTransactions);
    if transactions && !went_on(after) {
        return Lack::some(what);
    }
    if needs.back
        && let Some(fault) = span.faults.iter().find(|f| gone(f, subject, scene))
    {
        let why = "the reader did not come back to read on";
        return Lack::some(format!("{}, and {why} (step {})", fault.what, fault.step));
    }
    if !needs.faults {
        return None;
    }
    let begun = scene.first_us(subject)?;
    let cluster = span.faults.iter().filter(|f| matches!(f.struck, Struck::Cluster(_)));
    // A fault that was over before anything was sent or read does not count.
    let mut meant = cluster.filter(|fault| fault.over_us.is_none_or(|over| over >= begun));
    let quiet = meant.find(|fault| !went_on(in_effect(fault)))?;
    Lack::some(format!(
        "{what} while this fault was in effect: {} (step {})",
        quiet.what, quiet.step
    ))
}

/// How long running clients may still notice a fault that was over at once.
const NOTICED_US: i64 = 1_000_000;

/// The time in which a fault was in effect.
fn in_effect(fault: &Break) -> Times {
    let to = fault.over_us.unwrap_or_else(now_us);
    Times { noticed: to.max(fault.at_us + NOTICED_US), ..Times::of(fault.at_us, to) }
}

/// Whether a fault affected a reader that never came back from it.
fn gone(fault: &Break, subject: &Subject, scene: &Scene) -> bool {
    let Struck::Client { client, .. } = &fault.struck else { return false };
    fault.over_us.is_none()
        && scene.readers(subject).any(|reader| reader.name == *client && reader.away)
}
