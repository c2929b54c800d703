//! What a judgement rests on: asked in this one place by every condition.
//!
//! Evidence is a property of the faults and of the traffic. That nothing was lost says something about a
//! fault only if something was sent while it was in effect; a count `since` a step only if something came
//! after that step. Each condition says in [`needs`] what it needs; [`lack`] looks for it in a [`Scene`],
//! which is what the clients' histories and the plan's faults show. Both are pure. What lacks evidence is
//! inconclusive, unless more traffic could not change the judgement ([`Found::firm`]).

mod scene;

use kplan_dsl::{
    conditions::{Condition, Count},
    facts::Kind,
};

use crate::{
    conditions::Found,
    event::Holds,
    history::now_us,
    stage::{
        clients::Client,
        faults::{Break, Struck},
        judge::{Judge, Looking},
        outcome::StepError,
    },
};

pub use scene::{Scene, Subject, Times};

/// What must have gone on for a judgement to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Messages were sent.
    Sent,
    /// Messages were sent in transactions.
    Transactions,
    /// Something was delivered, or was there to be delivered, to a reader that was at work.
    Read,
    /// The same of messages that were sent in transactions.
    ReadTransactions,
    /// Messages were sent to a topic that a reader reads: one that was there by then, or begins at the log's
    /// start.
    Owed,
    /// The same of a copier.
    ToCopy,
    /// A copier copied, or something was there to be copied by one that was at work.
    Copied,
    /// Messages were sent, or delivered as for `Read`.
    Any,
}

/// What a condition needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    pub traffic: Traffic,
    pub subject: Subject,
    /// While each fault was in effect. Counts of what was achieved say nothing about faults.
    pub faults: bool,
    /// A reader that was killed or paused must have come back: what it then read again is the question.
    pub back: bool,
}

/// The time that is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedTime {
    /// Since, monotonic microseconds.
    pub from_us: i64,
    /// The step that it begins with, where one is named: then something must have come after it.
    pub since: Option<String>,
    /// The faults that are meant.
    pub faults: Vec<Break>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub why: String,
    /// Nothing was judged: not even what is certain otherwise stands.
    pub total: bool,
}

impl Lack {
    fn some(why: String) -> Option<Self> {
        Some(Self { why, total: false })
    }
}

/// Weighs what a condition found: without its evidence it is inconclusive.
pub fn weigh(
    condition: &Condition,
    client: Option<&Client>,
    found: Found,
    j: &Judge<'_>,
) -> Result<Found, StepError> {
    if let Err(why) = moments(condition, j) {
        return Ok(found.doubted(why));
    }
    if found.holds == Holds::Inconclusive {
        return Ok(found);
    }
    let Some(needs) = needs(condition, client, j.looking) else { return Ok(found) };
    let span = span(condition, client, j);
    let scene = Scene::of(&j.stage.clients.all());
    Ok(match lack(&needs, &span, &scene) {
        Some(lack) if lack.total || !found.firm => found.doubted(lack.why),
        _ => found,
    })
}

/// The steps that a condition counts from must have run, and be more than a note.
fn moments(condition: &Condition, j: &Judge<'_>) -> Result<(), String> {
    let own = names(condition);
    let named =
        if own.is_empty() && condition.facts().takes_since { j.since.into_iter().collect() } else { own };
    for name in named {
        if j.stage.plan.step_named(name).is_some_and(|step| step.head.facts.kind == Kind::Note) {
            return Err(format!("step \"{name}\" is a note: nothing begins with it"));
        }
        if j.since(Some(name)).is_none() {
            return Err(format!("step \"{name}\" has not run: nothing came after it"));
        }
        if j.stage.step_named(name).is_some_and(|id| j.stage.breaks.left_out(&id)) {
            return Err(format!("step \"{name}\" did nothing: all of its faults were left out"));
        }
    }
    Ok(())
}

/// The steps that a condition names.
fn names(condition: &Condition) -> Vec<&str> {
    if let Some(count) = condition.count() {
        let steps = [count.since.as_deref(), count.of.as_deref()];
        return steps.into_iter().flatten().map(|s| s.as_str()).collect();
    }
    match condition {
        Condition::Log(c) => c.since.as_deref().map(|s| s.as_str()).into_iter().collect(),
        Condition::Unavailable(c) => c.since.as_deref().map(|s| s.as_str()).into_iter().collect(),
        Condition::Recovered(c) => c.since.as_deref().map(|s| s.as_str()).into_iter().collect(),
        Condition::Latency(c) => c.times().into_iter().map(|(_, step)| step.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// What a condition needs; none where it asks the cluster how it is now.
pub fn needs(condition: &Condition, client: Option<&Client>, looking: Looking) -> Option<Needs> {
    if let Some(count) = condition.count() {
        return Some(of_count(condition, count));
    }
    let client = client?;
    let (topic, partition) = match condition {
        Condition::Unavailable(c) => (c.topic.as_deref(), c.partition.as_deref()),
        Condition::Recovered(c) => (c.topic.as_deref(), c.partition.as_deref()),
        Condition::Latency(_) => (None, None),
        // What is asked once is asked about its own moment.
        Condition::Progressing(_) if matches!(looking, Looking::Throughout { .. }) => (None, None),
        _ => return None,
    };
    let subject = Subject {
        topic: topic.map(ToString::to_string).or_else(|| partition.map(|p| p.topic.to_string())),
        partition: partition.map(|p| p.partition),
        client: Some(client.name.clone()),
    };
    let traffic = if client.sends() { Traffic::Sent } else { Traffic::Read };
    Some(Needs { traffic, subject, faults: asks_now(looking), back: false })
}

/// In the middle of a time that is watched a fault may have just begun: the last look asks for all.
fn asks_now(looking: Looking) -> bool {
    !matches!(looking, Looking::Throughout { last: false })
}

fn of_count(condition: &Condition, count: &Count) -> Needs {
    use Condition as C;
    let partition = count.partition.as_deref();
    let subject = Subject {
        topic: count
            .topic
            .as_deref()
            .map(ToString::to_string)
            .or_else(|| partition.map(|p| p.topic.to_string())),
        partition: partition.map(|p| p.partition),
        client: count.client.as_deref().map(|c| c.client.to_string()),
    };
    let (traffic, faults) = match condition {
        C::Acked(_) => (Traffic::Sent, false),
        C::Committed(_) => (Traffic::Transactions, false),
        C::Delivered(_) => (Traffic::Any, false),
        C::Aborted(_) => (Traffic::Transactions, true),
        C::Redelivered(_) | C::Skipped(_) => (Traffic::Read, true),
        C::AbortedRead(_) => (Traffic::ReadTransactions, true),
        C::Undelivered(_) => (Traffic::Owed, true),
        C::Uncopied(_) => (Traffic::ToCopy, true),
        C::Overcopied(_) => (Traffic::Copied, true),
        C::Corrupted(_) | C::Phantom(_) => (Traffic::Any, true),
        _ => (Traffic::Sent, true),
    };
    // What was at rest before the fault needs no traffic during it.
    let faults = faults && count.of.is_none();
    let back = matches!(condition, C::Redelivered(_) | C::Skipped(_));
    Needs { traffic, subject, faults, back }
}

/// The time that a condition judges, and the faults in it.
fn span(condition: &Condition, client: Option<&Client>, j: &Judge<'_>) -> JudgedTime {
    let (from_us, since) = match (condition, names(condition).first().copied().or(j.since)) {
        (Condition::Latency(c), _) if c.since.is_none() => (i64::MIN, None),
        _ if condition.count().is_some_and(|count| count.of.is_some()) => (i64::MIN, None),
        (Condition::Progressing(_), _) => (j.began_us, None),
        (_, Some(name)) => (j.since(Some(name)).unwrap_or(i64::MIN), Some(name.to_owned())),
        (_, None) => (i64::MIN, None),
    };
    let begin = from_us.max(j.faults_from_us);
    let breaks = &j.stage.breaks;
    let mut faults = breaks.list();
    match condition {
        // They are about one fault.
        Condition::Recovered(_) => {
            let name = client.map(|c| c.name.as_str()).unwrap_or_default();
            let meant = match &since {
                Some(step) => {
                    j.stage.step_named(step).and_then(|id| breaks.newest_of_step(&id, name))
                }
                None => breaks.last_for(name),
            };
            return JudgedTime { from_us: begin, since: None, faults: meant.into_iter().collect() };
        }
        Condition::Latency(c) => faults.retain(|f| in_phase(c, f, j)),
        _ => {}
    }
    faults.retain(|fault| fault.at_us >= begin);
    JudgedTime { from_us: begin, since, faults }
}

/// Whether a fault lies in the time whose latency is asked for.
fn in_phase(c: &kplan_dsl::conditions::Latency, fault: &Break, j: &Judge<'_>) -> bool {
    let named = |step: &Option<kplan_dsl::Spanned<kplan_dsl::value::StepName>>| {
        let id = j.stage.step_named(step.as_deref()?.as_str())?;
        Some(j.stage.breaks.of_step(&id)).filter(|faults| !faults.is_empty())
    };
    if let Some(own) = named(&c.before) {
        return own.iter().all(|own| fault.at_us < own.at_us);
    }
    if let Some(own) = named(&c.during) {
        return own.contains(fault);
    }
    match named(&c.after) {
        Some(own) => own.iter().all(|own| own.over_us.is_some_and(|over| fault.at_us >= over)),
        None => true,
    }
}

/// What is missing of what a judgement needs; nothing if all is there.
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
        let why = "it did not come back to read on";
        return Lack::some(format!("{}, and {why} (step {})", fault.what, fault.step));
    }
    if !needs.faults {
        return None;
    }
    let begun = scene.first_us(subject)?;
    let cluster = span.faults.iter().filter(|f| matches!(f.struck, Struck::Cluster(_)));
    // A fault that was over before anything was sent or read is not what is asked about.
    let mut meant = cluster.filter(|fault| fault.over_us.is_none_or(|over| over >= begun));
    let quiet = meant.find(|fault| !went_on(in_effect(fault)))?;
    Lack::some(format!(
        "{what} while this fault was in effect: {} (step {})",
        quiet.what, quiet.step
    ))
}

/// How long the clients that were there go on noticing a fault that was over at once.
const NOTICED_US: i64 = 1_000_000;

/// The time in which a fault was in effect.
fn in_effect(fault: &Break) -> Times {
    let to = fault.over_us.unwrap_or_else(now_us);
    Times { noticed: to.max(fault.at_us + NOTICED_US), ..Times::of(fault.at_us, to) }
}

/// A fault that struck a reader which never came back from it.
fn gone(fault: &Break, subject: &Subject, scene: &Scene) -> bool {
    let Struck::Client { client, .. } = &fault.struck else { return false };
    fault.over_us.is_none()
        && scene.readers(subject).any(|reader| reader.name == *client && reader.away)
}
