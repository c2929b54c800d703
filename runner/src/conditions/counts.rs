//! Conditions that count messages: what clients heard, and what the audit found in the log.

use kplan_dsl::{
    conditions::{Condition, Count, Failed},
    value::Bound,
};
use serde_json::{Map, Value};

use crate::{
    audit::{self, CountVerdict, Measure, Scope, Window},
    cluster::KafkaError,
    conditions::Found,
    event::Holds,
    stage::{
        judge::Judge,
        outcome::{StepError, is_error},
    },
};

/// What a counting condition measures, and whether that needs the log to be read.
pub fn measure(condition: &Condition) -> Option<(Measure, bool)> {
    Some(match condition {
        Condition::Acked(_) => (Measure::Acked, false),
        Condition::Failed(_) => (Measure::Failed, false),
        Condition::Delivered(_) => (Measure::Delivered, false),
        Condition::Committed(_) => (Measure::Committed, false),
        Condition::Aborted(_) => (Measure::Aborted, false),
        Condition::Lost(_) => (Measure::Lost, true),
        Condition::Expired(_) => (Measure::Expired, true),
        Condition::Duplicated(_) => (Measure::Duplicated, true),
        Condition::Reordered(_) => (Measure::Reordered, true),
        Condition::Diverged(_) => (Measure::Diverged, true),
        Condition::Corrupted(_) => (Measure::Corrupted, true),
        Condition::Undelivered(_) => (Measure::Undelivered, true),
        Condition::Redelivered(_) => (Measure::Redelivered, true),
        Condition::Skipped(_) => (Measure::Skipped, true),
        Condition::Phantom(_) => (Measure::Phantom, true),
        Condition::UnexpectedSuccess(_) => (Measure::UnexpectedSuccess, true),
        Condition::AbortedRead(_) => (Measure::AbortedRead, true),
        Condition::Uncopied(_) => (Measure::Uncopied, true),
        Condition::Overcopied(_) => (Measure::Overcopied, true),
        Condition::Unresolved(_) => (Measure::Unresolved, true),
        _ => return None,
    })
}

pub async fn judge(
    measure: Measure,
    reads_log: bool,
    count: &Count,
    j: &Judge<'_>,
) -> Result<Found, StepError> {
    let window = window(count, j);
    if let Some(why) = no_fault(count, j) {
        return Ok(Found::inconclusive(why));
    }
    let result = if reads_log { j.stage.audit(j, window).await? } else { j.stage.heard(window)? };
    let scope = scope(count);
    let mut found = tell(count.bound, &result.verdict(measure, &scope), measure);
    if found.holds != Holds::Inconclusive {
        let counted = j.stage.clients.all();
        let counted =
            counted.iter().filter(|c| if of_readers(measure) { c.reads() } else { c.sends() });
        add_zeros(&mut found.value, counted.map(|c| c.name.as_str()), &scope);
    }
    let damaged = matches!(measure, Measure::Lost | Measure::Diverged) && found.holds == Holds::No;
    if damaged {
        let elections = j.stage.unclean_elections(scope.topic.as_deref());
        found.evidence.extend(elections.iter().map(|e| e.words()));
    }
    if reads_log {
        j.stage.tell_anomaly(j.step, measure, &result.verdict(measure, &scope));
        found.evidence.extend(result.notes.iter().map(|n| format!("note: {n}")));
    }
    Ok(found)
}

/// Puts a count of the whole log into the report, once its evidence was weighed: one that proves nothing
/// must not stand there as if it did.
pub async fn tell_whole(
    measure: Measure,
    count: &Count,
    found: &Found,
    j: &Judge<'_>,
) -> Result<(), StepError> {
    let whole = scope(count) == Scope::default() && window(count, j) == Window::All;
    if whole && !j.record && found.holds != Holds::Inconclusive {
        j.stage.tell_counted(j.step, measure, &*j.stage.audit(j, Window::All).await?);
    }
    Ok(())
}

/// `failed` with an error code counts by code.
pub async fn failed(c: &Failed, j: &Judge<'_>) -> Result<Found, StepError> {
    let Some(error) = &c.error else {
        return judge(Measure::Failed, false, &c.count, j).await;
    };
    let result = j.stage.heard(window(&c.count, j))?;
    let scope = scope(&c.count);
    let matching: Vec<_> = result
        .errors
        .iter()
        .filter(|e| scope.client.as_ref().is_none_or(|c| *c == e.client))
        .filter(|e| scope.topic.as_ref().is_none_or(|t| *t == e.topic))
        .filter(|e| scope.partition.is_none_or(|p| p == e.partition))
        .filter(|e| is_error(error, &named(e.error)))
        .collect();
    let total: u64 = matching.iter().map(|e| e.count).sum();
    let found = format!("{total} failed with {}", **error);
    let found = Found::bounded(c.count.bound, total, found, Value::from(total));
    // Where nothing was sent, nothing can have failed: no error proves nothing.
    match result.verdict(Measure::Failed, &scope) {
        CountVerdict::Inconclusive { reason, .. } if !found.firm => Ok(found.doubted(reason)),
        _ => Ok(found),
    }
}

/// An error of the histories with its name.
fn named(code: i32) -> KafkaError {
    let code = crate::client::Code(code);
    KafkaError { code: code.name().to_owned(), message: code.meaning().to_owned() }
}

/// Why there is no fault that the messages at rest lay through, if `sent: before` is asked.
fn no_fault(count: &Count, j: &Judge<'_>) -> Option<String> {
    let name = count.of.as_deref()?;
    let id = j.stage.step_named(name.as_str());
    let bit = id.is_some_and(|id| !j.stage.breaks.of_step(&id).is_empty());
    (!bit).then(|| {
        format!("the step \"{}\" broke nothing, so nothing at rest lay through it", name.as_str())
    })
}

/// Which messages and deliveries count.
fn window(count: &Count, j: &Judge<'_>) -> Window {
    if let Some(of) = count.of.as_deref() {
        // A step that never ran: nothing was acknowledged before it.
        return Window::AtRest(j.since(Some(of.as_str())).unwrap_or(i64::MIN));
    }
    let since = j.since(count.since.as_deref().map(|s| s.as_str()));
    since.map_or(Window::All, Window::Since)
}

fn scope(count: &Count) -> Scope {
    Scope {
        topic: count
            .topic
            .as_deref()
            .map(ToString::to_string)
            .or_else(|| count.partition.as_deref().map(|p| p.topic.to_string())),
        partition: count.partition.as_deref().map(|p| p.partition),
        client: count.client.as_deref().map(|c| c.client.to_string()),
        group: None,
    }
}

/// Turns the audit's answer into the condition's. A count that breaks an upper bound, or reaches a lower
/// one, is certain even where more could not be judged; everything else that could not be judged is
/// inconclusive.
pub(super) fn tell(bound: Option<Bound<u64>>, verdict: &CountVerdict, measure: Measure) -> Found {
    let (finding, doubt) = match verdict {
        CountVerdict::Counted(finding) => (finding, None),
        CountVerdict::Inconclusive { reason, at_least } => (at_least, Some(reason)),
    };
    let evidence: Vec<String> = finding.evidence.iter().map(evidence_line).collect();
    let value = by_client(finding);
    let mut text = spread(finding);
    if let Some(on_disk) = &finding.on_disk {
        text.push_str(&format!("; {}", on_disk.words()));
    }
    let Some(reason) = doubt else {
        let found = format!("{} (of {} judged){text}", finding.count, finding.judged);
        let found = if counts_only(measure) { format!("{}{text}", finding.count) } else { found };
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

fn counts_only(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Acked
            | Measure::Failed
            | Measure::Delivered
            | Measure::Committed
            | Measure::Aborted
    )
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

/// Measures that name the consumer, not the producer.
fn of_readers(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Delivered | Measure::Redelivered | Measure::Skipped | Measure::AbortedRead
    )
}

/// Nothing is a number too: `before.redelivered.C` is 0 where the audit found nothing to count.
fn add_zeros<'c>(value: &mut Value, clients: impl Iterator<Item = &'c str>, scope: &Scope) {
    let Value::Object(map) = value else { return };
    for name in clients.filter(|name| scope.client.as_ref().is_none_or(|only| only == name)) {
        map.entry(name).or_insert(Value::from(0));
    }
}

fn evidence_line(e: &audit::Evidence) -> String {
    let mut line = format!("{}/{}", e.place.topic, e.place.partition);
    if let Some(offset) = e.offset {
        line.push_str(&format!(" offset {offset}"));
    }
    if let (Some(client), Some(sequence)) = (&e.place.client, e.sequence) {
        let life = e.life.map(|l| format!(" life {l}")).unwrap_or_default();
        line.push_str(&format!(", {client}{life} message {sequence}"));
    }
    format!("{line}: {}", e.text)
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
        assert_eq!(tell(zero, &doubt(0), Measure::Lost).holds, Holds::Inconclusive);
        assert_eq!(tell(zero, &doubt(3), Measure::Lost).holds, Holds::No);
        assert_eq!(tell(Some(Bound::AtLeast(2)), &doubt(3), Measure::Lost).holds, Holds::Yes);
        assert_eq!(
            tell(Some(Bound::AtLeast(4)), &doubt(3), Measure::Lost).holds,
            Holds::Inconclusive
        );
        assert_eq!(
            tell(zero, &CountVerdict::Counted(finding(0, 9)), Measure::Lost).holds,
            Holds::Yes
        );
        assert_eq!(
            tell(zero, &CountVerdict::Counted(finding(3, 9)), Measure::Lost).holds,
            Holds::No
        );
        assert_eq!(
            tell(None, &CountVerdict::Counted(finding(3, 9)), Measure::Lost).holds,
            Holds::Unjudged
        );
    }
}
