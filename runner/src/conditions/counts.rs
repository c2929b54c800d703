//! Conditions that count messages: what clients heard, and what the audit found in the log.

use kplan_dsl::{
    conditions::Count,
    value::{Bound, ExpectedError},
};
use serde_json::{Map, Value};

use super::{
    Found, Judged,
    evidence::{JudgedTime, Needs, RestsOn, Subject},
};
use crate::{
    audit::{self, CountVerdict, CountedWord, Scope, Window},
    cluster::KafkaError,
    event::Holds,
    stage::{
        judge::Judge,
        outcome::{StepError, is_error},
    },
};

/// Judges a count of messages; with `reads_log` the audit reads the whole log for it.
pub async fn judge(asked: &dyn CountedWord, reads_log: bool, j: &Judge<'_>) -> Judged {
    let (measure, count) = (asked.measure(), asked.count());
    if let Some(error) = asked.error() {
        return of_error(error, asked, j);
    }
    if let Some(why) = no_fault(count, j) {
        return Ok(Found::inconclusive(why));
    }
    let window = window(count, j);
    let result = if reads_log { j.stage.audit(j, window).await? } else { j.stage.heard(window)? };
    let (scope, facts) = (scope(asked), measure.facts());
    let verdict = result.verdict(measure, &scope);
    let mut found = found(count.bound, &verdict, reads_log);
    if found.holds != Holds::Inconclusive {
        let counted = j.stage.clients.all();
        let counted =
            counted.iter().filter(|c| if facts.by_reader { c.reads() } else { c.sends() });
        add_zeros(&mut found.value, counted.map(|c| c.name.as_str()), &scope);
    }
    if facts.elections && found.holds == Holds::No {
        // The reason first: a terminal shows only the first lines.
        let elections = j.stage.place.unclean_elections(scope.topic.as_deref());
        found.evidence.splice(0..0, elections.iter().map(|e| e.words()));
    }
    if reads_log {
        j.stage.tell_anomaly(j.step, measure, &verdict);
        found.evidence.extend(result.notes.iter().map(|n| format!("note: {n}")));
    }
    Ok(found)
}

/// The evidence that a count needs.
pub fn rests_on(asked: &dyn CountedWord, j: &Judge<'_>) -> Option<RestsOn> {
    let (facts, count) = (asked.measure().facts(), asked.count());
    let client = count.client.as_deref().map(|c| c.client.to_string());
    let needs = Needs {
        traffic: facts.traffic?,
        subject: Subject {
            service: asked.service().map(ToString::to_string),
            ..Subject::of(count.topic.as_deref(), count.partition.as_deref(), client)
        },
        // A count of messages from before the fault needs no traffic during it.
        faults: facts.faults && count.of.is_none(),
        back: facts.back,
    };
    let time = match count.of {
        Some(_) => JudgedTime::of(i64::MIN, None, j),
        None => JudgedTime::since(count.since.as_deref(), j),
    };
    Some((needs, time))
}

/// Reports a count of the whole log after its evidence was weighed: a count that proves nothing
/// is not reported.
pub async fn tell_whole(
    asked: &dyn CountedWord,
    found: &Found,
    j: &Judge<'_>,
) -> Result<(), StepError> {
    let (measure, count) = (asked.measure(), asked.count());
    let whole = scope(asked) == Scope::default() && window(count, j) == Window::All;
    if whole && !j.record && found.holds != Holds::Inconclusive {
        j.stage.tell_counted(j.step, measure, &*j.stage.audit(j, Window::All).await?);
    }
    Ok(())
}

/// Counts failed messages by their error.
fn of_error(error: &ExpectedError, asked: &dyn CountedWord, j: &Judge<'_>) -> Judged {
    let (count, measure) = (asked.count(), asked.measure());
    let result = j.stage.heard(window(count, j))?;
    let scope = scope(asked);
    let matching: Vec<_> = result
        .errors
        .iter()
        .filter(|e| scope.client.as_ref().is_none_or(|c| *c == e.client))
        .filter(|e| scope.topic.as_ref().is_none_or(|t| *t == e.topic))
        .filter(|e| scope.partition.is_none_or(|p| p == e.partition))
        .filter(|e| is_error(error, &named(e.error)))
        .collect();
    let total: u64 = matching.iter().map(|e| e.count).sum();
    let found = format!("{total} failed with {error}");
    let found = Found::bounded(count.bound, total, found, Value::from(total));
    // If nothing was sent, nothing can have failed: the absence of errors proves nothing.
    match result.verdict(measure, &scope) {
        CountVerdict::Inconclusive { reason, .. } if !found.firm => Ok(found.doubted(reason)),
        _ => Ok(found),
    }
}

/// An error of the histories with its name.
fn named(code: i32) -> KafkaError {
    let code = crate::client::Code(code);
    KafkaError { code: code.name().to_owned(), message: code.meaning().to_owned() }
}

/// Why no fault affected messages from before it, for `sent: before`.
fn no_fault(count: &Count, j: &Judge<'_>) -> Option<String> {
    let name = count.of.as_deref()?;
    let id = j.stage.timeline.named(name.as_str());
    let bit = id.is_some_and(|id| !j.stage.breaks.of_step(&id).is_empty());
    (!bit).then(|| {
        format!(
            "step \"{}\" broke nothing, so the messages from before it were exposed to no fault",
            name.as_str()
        )
    })
}

/// Which messages and deliveries count.
fn window(count: &Count, j: &Judge<'_>) -> Window {
    if let Some(of) = count.of.as_deref() {
        // A step that never ran: no message counts as acknowledged before it.
        return Window::AtRest(j.since(Some(of.as_str())).unwrap_or(i64::MIN));
    }
    let since = j.since(count.since.as_deref().map(|s| s.as_str()));
    since.map_or(Window::All, Window::Since)
}

fn scope(asked: &dyn CountedWord) -> Scope {
    let count = asked.count();
    let client = count.client.as_deref().map(|c| c.client.to_string());
    let subject = Subject::of(count.topic.as_deref(), count.partition.as_deref(), client);
    let service = asked.service().map(ToString::to_string);
    let Subject { topic, partition, client, .. } = subject;
    Scope { topic, partition, client, group: None, service }
}

/// Turns the audit's answer into the condition's. A count that breaks an upper bound, or reaches a lower
/// one, is certain even if more could not be judged; everything else that could not be judged is
/// inconclusive. With `of_how_many` the text shows how many messages were judged.
pub(super) fn found(bound: Option<Bound<u64>>, verdict: &CountVerdict, of_how_many: bool) -> Found {
    let (finding, doubt) = match verdict {
        CountVerdict::Counted(finding) => (finding, None),
        CountVerdict::Inconclusive { reason, at_least } => (at_least, Some(reason)),
    };
    let ranges = audit::ranges(&finding.evidence);
    let evidence: Vec<String> = ranges.iter().map(audit::EvidenceRange::line).collect();
    let value = by_client(finding);
    let mut text = spread(finding);
    if let Some(on_disk) = &finding.on_disk {
        text.push_str(&format!("; {}", on_disk.words()));
    }
    let Some(reason) = doubt else {
        let found = match of_how_many {
            true => format!("{} (of {} judged){text}", finding.count, finding.judged),
            false => format!("{}{text}", finding.count),
        };
        return Found::bounded(bound, finding.count, found, value).because(evidence);
    };
    let counted = Found::bounded(bound, finding.count, "", value).because(evidence);
    if counted.firm {
        let least = finding.count;
        let found = format!("at least {least}{text}; not all could be judged: {reason}");
        return Found { found, ..counted };
    }
    counted.doubted(reason.as_str())
}

/// `: orders/0 12, orders/2 24` where a count above zero lies.
fn spread(finding: &audit::CountFinding) -> String {
    let mut by: std::collections::BTreeMap<(&str, u32), u64> = std::collections::BTreeMap::new();
    for cell in &finding.by {
        *by.entry((&cell.place.topic, cell.place.partition)).or_default() += cell.count;
    }
    let words: Vec<String> = by.iter().map(|((t, p), n)| format!("{t}/{p} {n}")).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

/// `{total: N, P: N}`: what `capture` gives to expressions, without the clients that have none.
fn by_client(finding: &audit::CountFinding) -> Value {
    let mut map = Map::new();
    map.insert("total".to_owned(), Value::from(finding.count));
    let mut add = |name: Option<&String>, count: u64| {
        let Some(name) = name else { return };
        let before = map.get(name).and_then(Value::as_u64).unwrap_or(0);
        map.insert(name.clone(), Value::from(before + count));
    };
    for cell in &finding.by {
        add(cell.place.consumer.as_ref().or(cell.place.client.as_ref()), cell.count);
    }
    Value::Object(map)
}

/// Adds zeros: `before.delivered.C` is 0 if the audit found nothing to count.
fn add_zeros<'c>(value: &mut Value, clients: impl Iterator<Item = &'c str>, scope: &Scope) {
    let Value::Object(map) = value else { return };
    for name in clients.filter(|name| scope.client.as_ref().is_none_or(|only| only == name)) {
        map.entry(name).or_insert(Value::from(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::CountFinding;

    fn finding(count: u64, judged: u64) -> CountFinding {
        CountFinding { count, judged, ..CountFinding::default() }
    }

    #[test]
    fn a_client_without_any_is_captured_as_zero() {
        let mut value = serde_json::json!({"total": 3, "P": 3});
        add_zeros(&mut value, ["P", "Q"].into_iter(), &Scope::default());
        assert_eq!(value, serde_json::json!({"total": 3, "P": 3, "Q": 0}));
        let mut value = serde_json::json!({"total": 0});
        let only = Scope { client: Some("Q".into()), ..Scope::default() };
        add_zeros(&mut value, ["P", "Q"].into_iter(), &only);
        assert_eq!(value, serde_json::json!({"total": 0, "Q": 0}));
    }

    #[test]
    fn a_doubt_is_inconclusive_unless_the_bound_is_broken_for_certain() {
        let doubt = |n| CountVerdict::Inconclusive {
            reason: "orders/0 was not read".into(),
            at_least: finding(n, 9),
        };
        let zero = Some(Bound::Is(0));
        assert_eq!(found(zero, &doubt(0), true).holds, Holds::Inconclusive);
        assert_eq!(found(zero, &doubt(3), true).holds, Holds::No);
        assert_eq!(found(Some(Bound::AtLeast(2)), &doubt(3), true).holds, Holds::Yes);
        assert_eq!(found(Some(Bound::AtLeast(4)), &doubt(3), true).holds, Holds::Inconclusive);
        assert_eq!(found(zero, &CountVerdict::Counted(finding(0, 9)), true).holds, Holds::Yes);
        assert_eq!(found(zero, &CountVerdict::Counted(finding(3, 9)), true).holds, Holds::No);
        assert_eq!(found(None, &CountVerdict::Counted(finding(3, 9)), true).holds, Holds::Unjudged);
    }
}
