//! Events of runs whose events said in words only what newer ones say in fields.

use super::{Event, FaultKind, StepRun, Why};

/// The event with the fields that its words tell.
pub fn complete(mut event: Event) -> Event {
    match &mut event {
        Event::Node { why, .. } | Event::Client { why, .. } if why.by.is_none() => by(why),
        Event::Fault { kind: kind @ FaultKind::Unknown, what, .. } => {
            let node = ["broker ", "controller ", "zookeeper "].iter().any(|n| what.starts_with(n));
            if node && what.ends_with(" killed") {
                *kind = FaultKind::NodeKilled;
            }
        }
        _ => {}
    }
    event
}

fn by(why: &mut Why) {
    why.by = why.words.rsplit_once(" by step ").map(|(_, step)| StepRun::from(step));
}
