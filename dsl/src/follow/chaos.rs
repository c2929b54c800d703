//! Chaos that can break nothing, because its own `keep` forbids every fault.

use super::Follow;
use crate::conditions::{All, Condition, Conditions};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::steps::{Chaos, Verb};
use crate::value::Target;

impl<'p> Follow<'p> {
    /// Tells a `keep` that certainly leaves out every fault.
    pub(super) fn chaos_of_nothing(&mut self, it: &'p Chaos) {
        let Some(keep) = it.keep.as_ref().filter(|_| !self.ground.state.external) else { return };
        let least = it.faults.iter().map(|fault| self.takes_away(&fault.verb)).min();
        let Some(least) = least.filter(|n| *n > 0) else { return };
        let Some((span, word)) = self.broken_by(keep, least) else { return };
        let brokers = crate::words::count(least.into(), "broker");
        let message =
            format!("every fault takes {brokers} away or more, and then `{word}` would not hold");
        let help = "so every fault will be left out, and nothing is proven: keep less than all";
        self.ground.tell(Diagnostic::new(Code::W023, span, message).help(help));
    }

    /// How many brokers a fault certainly takes away.
    fn takes_away(&mut self, verb: &'p Verb) -> u32 {
        let Some(target) = verb.target() else { return 0 };
        match verb {
            Verb::DegradeNetwork(_) => 0,
            _ => self.brokers_in(target),
        }
    }

    fn brokers_in(&mut self, target: &'p Spanned<Target>) -> u32 {
        let Some(own) = self.ground.state.cluster.as_ref().map(|c| c.controllers > 0) else {
            return 0;
        };
        match &target.value {
            Target::Random | Target::LeaderOf(_) | Target::CoordinatorOf(_) => 1,
            Target::Controller => u32::from(!own),
            Target::Broker(_) | Target::Several(_) | Target::All | Target::Not(_) => {
                // The target's own check reports what is wrong with it.
                self.ground.muted += 1;
                let mut certain: Vec<u32> =
                    self.ground.target(target).certain.iter().map(|(n, _)| *n).collect();
                self.ground.muted -= 1;
                certain.retain(|n| *n <= 100);
                certain.sort_unstable();
                certain.dedup();
                u32::try_from(certain.len()).unwrap_or(u32::MAX)
            }
            _ => 0,
        }
    }

    /// The condition that cannot hold with so many brokers gone, if it is certain.
    fn broken_by(&self, keep: &Conditions, gone: u32) -> Option<(Span, &'static str)> {
        let brokers = self.ground.state.cluster.as_ref()?.brokers;
        let left = u64::from(brokers.saturating_sub(gone));
        keep.iter().find_map(|condition| {
            let least = match &condition.value {
                Condition::All(All(inner)) => return self.broken_by(inner, gone),
                Condition::BrokersAlive(it) => it.bound.and_then(|b| b.least()),
                Condition::InSync(it) => {
                    let name =
                        it.topic.as_deref().or_else(|| it.partition.as_ref().map(|p| &p.topic))?;
                    let topic = self.ground.state.topics.get(name.as_str()).filter(|t| !t.gone)?;
                    // With a replica on every broker, each broker that is gone takes one away.
                    it.replicas.and_then(|b| b.least()).filter(|_| topic.replicas == brokers)
                }
                _ => None,
            };
            // Another check reports what cannot hold with all brokers either.
            let certain = |n: &u64| *n > left && *n <= u64::from(brokers);
            least.filter(certain).map(|_| (condition.span, condition.info().word))
        })
    }
}
