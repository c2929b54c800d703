//! `leader`

use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::{Ground, Liveness};
use crate::source::{Span, Spanned};
use crate::value::{LeaderIs, PartitionRef};

args! {
    /// Which broker is the leader of a partition.
    #[example("leader: { partition: orders/2, is: 2 }")]
    #[example("leader: { partition: orders/2, is: none }")]
    pub struct Leader("leader") short "partition" {
        /// The partition.
        partition: Spanned<PartitionRef>,
        /// A broker's number, `any` or `none`.
        is: Option<Spanned<LeaderIs>>,
    }
}

impl ConditionWord for Leader {
    const FACTS: ConditionFacts = ConditionFacts {
        needs_quorum: true,
        weighs: Weighs::Arguments(&[("is", ArgumentWeighs::Leader)]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let partition = &self.partition;
        match self.is.as_deref() {
            None => format!("the leader of {partition}"),
            Some(LeaderIs::Any) => format!("{partition} has a leader"),
            Some(LeaderIs::None) => format!("{partition} has no leader"),
            Some(LeaderIs::Broker(n)) => format!("broker {n} leads {partition}"),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::if_said(self.is.as_ref())
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let partition = &self.partition;
        let topic = ground.state.topics.get(partition.topic.as_str());
        let replicas = topic
            .and_then(|t| t.assignment.as_ref())
            .and_then(|a| a.get(partition.partition as usize).cloned());
        match self.is.as_deref() {
            Some(LeaderIs::Broker(n)) => {
                if replicas.is_some_and(|r| !r.contains(n)) {
                    ground.impossible(span, format!("broker {n} holds no replica of {partition}"));
                } else {
                    ground.must_be_up(*n, "lead", span);
                }
            }
            Some(LeaderIs::Any) => {
                let Some(cluster) = &ground.state.cluster else { return };
                let down = |life| matches!(life, Liveness::Down | Liveness::Stopped);
                let dead = match replicas {
                    Some(all) => !all.is_empty() && all.iter().all(|n| cluster.is_down(*n)),
                    None => cluster.count(down) == cluster.brokers,
                };
                if dead {
                    ground.impossible(span, format!("every replica of {partition} is down here"));
                }
            }
            Some(LeaderIs::None) | None => {}
        }
    }

    fn shows(&self, _: &Ground<'_>) -> Shows {
        Shows::of_leader(self.is.as_deref())
    }
}
