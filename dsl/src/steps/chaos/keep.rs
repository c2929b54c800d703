//! Finds chaos that can break nothing, because its `keep` rules out every fault.

use super::Chaos;
use crate::conditions::{All, Condition, Conditions};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Strikes;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::steps::Verb;
use crate::value::Target;

impl Chaos {
    /// Reports a `keep` that certainly rules out every fault.
    pub(super) fn breaks_nothing(&self, ground: &mut Ground<'_>) {
        let Some(keep) = self.keep.as_ref().filter(|_| !ground.state.external) else { return };
        let least = self.faults.iter().map(|fault| takes_away(&fault.verb, ground)).min();
        let Some(least) = least.filter(|n| *n > 0) else { return };
        let Some((span, word)) = broken_by(keep, least, ground) else { return };
        let brokers = crate::words::count(least.into(), "broker");
        let message =
            format!("every fault takes away at least {brokers}, and then `{word}` does not hold");
        let help =
            "`chaos` will leave out every fault and prove nothing: weaken the bound in `keep`";
        ground.report(Diagnostic::new(Code::W023, span, message).help(help));
    }
}

/// The number of brokers that a fault certainly takes away.
fn takes_away(verb: &Verb, ground: &mut Ground<'_>) -> u32 {
    // A slow network takes no broker away.
    let taken = verb.facts().strikes != Strikes::Lines;
    verb.target().filter(|_| taken).map_or(0, |target| brokers_in(target, ground))
}

fn brokers_in(target: &Spanned<Target>, ground: &mut Ground<'_>) -> u32 {
    let Some(own) = ground.state.cluster.as_ref().map(|c| c.controllers > 0) else {
        return 0;
    };
    match &target.value {
        Target::Random
        | Target::LeaderOf(_)
        | Target::CoordinatorOf(_)
        | Target::TransactionCoordinatorOf(_) => 1,
        Target::Controller => u32::from(!own),
        Target::Broker(_)
        | Target::Dedicated(_)
        | Target::Several(_)
        | Target::All
        | Target::Not(_) => {
            // The check of the target reports its mistakes.
            ground.muted += 1;
            let mut certain: Vec<u32> =
                ground.target(target).certain.iter().map(|(n, _)| *n).collect();
            ground.muted -= 1;
            certain.retain(|n| *n <= 100);
            certain.sort_unstable();
            certain.dedup();
            u32::try_from(certain.len()).unwrap_or(u32::MAX)
        }
        _ => 0,
    }
}

/// The condition that certainly cannot hold without this number of brokers.
fn broken_by(keep: &Conditions, gone: u32, ground: &Ground<'_>) -> Option<(Span, &'static str)> {
    let brokers = ground.state.cluster.as_ref()?.brokers;
    let left = u64::from(brokers.saturating_sub(gone));
    keep.iter().find_map(|condition| {
        let least = match &condition.value {
            Condition::All(All(inner)) => return broken_by(inner, gone, ground),
            Condition::BrokersAlive(it) => it.bound.and_then(|b| b.least()),
            Condition::InSync(it) => {
                let name =
                    it.topic.as_deref().or_else(|| it.partition.as_ref().map(|p| &p.topic))?;
                let topic = ground.state.topics.get(name.as_str()).filter(|t| !t.gone)?;
                // With a replica on every broker, each missing broker takes one replica away.
                it.replicas.and_then(|b| b.least()).filter(|_| topic.replicas == brokers)
            }
            _ => None,
        };
        // A condition that cannot hold even with all brokers is reported by another check.
        let certain = |n: &u64| *n > left && *n <= u64::from(brokers);
        least.filter(certain).map(|_| (condition.span, condition.info().word))
    })
}
