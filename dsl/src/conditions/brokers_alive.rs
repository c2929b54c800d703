//! `brokers_alive`

use super::clause::there;
use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::facts::ConditionFacts;
use crate::ground::{Ground, Liveness};
use crate::source::Span;
use crate::value::BoundGroup;

args! {
    /// The number of running brokers: those that answer kplan and that a running, up-to-date broker lists.
    #[example("brokers_alive: 3")]
    pub struct BrokersAlive("brokers_alive") short "is" {
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for BrokersAlive {
    const FACTS: ConditionFacts = ConditionFacts::NONE;

    fn explain(&self) -> String {
        match self.bound {
            None => "the number of running brokers".to_owned(),
            Some(bound) => format!("{} alive", bound.of("broker")),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn clause(&self) -> String {
        there(self.explain())
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let (Some(bound), Some(cluster)) = (self.bound, &ground.state.cluster) else { return };
        let down =
            cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused));
        let up = cluster.count(|l| l == Liveness::Up);
        let most = u64::from(cluster.brokers - down);
        if bound.least().is_some_and(|n| n > most) {
            let all = crate::words::count(cluster.brokers.into(), "broker");
            let message = if down == 0 {
                format!("the cluster has only {all}")
            } else {
                format!(
                    "{down} of {all} {} down or paused here",
                    if down == 1 { "is" } else { "are" }
                )
            };
            ground.impossible(span, message);
        } else if bound.most().is_some_and(|n| n < u64::from(up)) {
            let message =
                format!("{} certainly running here", crate::words::count(up.into(), "broker"));
            ground.impossible(span, message);
        }
    }

    fn shows(&self, ground: &Ground<'_>) -> Shows {
        let all = ground.state.cluster.as_ref().map(|c| u64::from(c.brokers));
        Shows::of_all(self.bound, all)
    }
}
