//! Conditions as clauses: what stands behind "wait until" and "check that".

use std::time::Duration;

use super::spoken;
use crate::conditions::{Condition, Conditions};
use crate::value::{Bound, duration_text};

/// The clause of one condition: `broker 2 leads orders/2`, `no message is lost`.
pub(super) fn clause(condition: &Condition) -> String {
    match condition {
        Condition::Recovered(it) => match it.bound {
            Some(Bound::Is(t) | Bound::AtMost(t)) => {
                let fault = match &it.since {
                    Some(step) => format!("\"{step}\""),
                    None => "the last fault".to_owned(),
                };
                format!(
                    "{} {} served again within {} of {fault}",
                    it.client,
                    are(&it.client),
                    spoken(t)
                )
            }
            _ => condition.explain(),
        },
        Condition::Unavailable(it) => match it.bound {
            Some(Bound::Is(t) | Bound::AtMost(t)) => {
                let (who, were) = (&it.client, if it.client.len() == 1 { "was" } else { "were" });
                format!("{who} {were} never without service for more than {}", spoken(t))
            }
            _ => condition.explain(),
        },
        Condition::Latency(it) => {
            let bounds = it.bounds();
            let bounds: Vec<String> =
                bounds.iter().map(|(name, _, b)| format!("{name} {}", bound_of_time(b))).collect();
            format!("the latency of {} stays within: {}", it.client, crate::words::list(&bounds))
        }
        Condition::All(it) => format!("all of this holds: {}", list(&it.0)),
        Condition::Any(it) => format!("any of this holds: {}", list(&it.0)),
        Condition::Not(it) => format!("this does not hold: {}", list(&it.0)),
        Condition::BrokersAlive(_)
        | Condition::OfflinePartitions(_)
        | Condition::ReplicasDiffer(_)
        | Condition::UnderReplicatedPartitions(_)
        | Condition::UnderMinIsrPartitions(_)
        | Condition::Log(_) => there(condition.explain()),
        _ if condition.count().is_some() => there(condition.explain()),
        _ => condition.explain(),
    }
}

/// The clauses of several, in one line.
fn list(all: &Conditions) -> String {
    all.iter().map(|c| clause(c)).collect::<Vec<_>>().join("; ")
}

const fn are(clients: &crate::value::Clients) -> &'static str {
    if clients.0.len() == 1 { "is" } else { "are" }
}

fn bound_of_time(bound: &Bound<Duration>) -> String {
    match *bound {
        Bound::AtMost(t) => format!("at most {}", spoken(t)),
        Bound::AtLeast(t) => format!("at least {}", spoken(t)),
        Bound::Is(t) => spoken(t),
        Bound::Between(a, b) => format!("between {} and {}", duration_text(a), duration_text(b)),
    }
}

/// `there is no lost message`, `there are at most 3 lost messages`.
fn there(what: String) -> String {
    let one = ["no ", "1 ", "at least 1 ", "at most 1 "].iter().any(|n| what.starts_with(n));
    let what = if one { what.replacen(" messages", " message", 1) } else { what };
    format!("there {} {what}", if one { "is" } else { "are" })
}
