//! `eligible_leader_replicas`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, PartitionRef};

args! {
    /// The number of eligible leader replicas of a partition (KIP-966, Kafka 4.1 and newer): replicas that have left
    /// the in-sync set and still have every message below the high watermark, so that each can become leader without
    /// loss. A partition has some only while it has fewer in-sync replicas than `min.insync.replicas`.
    #[example("eligible_leader_replicas: { partition: orders/0, replicas: 1 }")]
    pub struct EligibleLeaderReplicas("eligible_leader_replicas") short "partition" {
        /// The partition.
        partition: Spanned<PartitionRef>,
        /// The number of eligible leader replicas, as a number or a bound.
        replicas: Option<Bound<u64>>,
    }
}

impl ConditionWord for EligibleLeaderReplicas {
    const FACTS: ConditionFacts = ConditionFacts {
        needs_quorum: true,
        weighs: Weighs::Arguments(&[("partition", ArgumentWeighs::OnePartition)]),
        ..ConditionFacts::NONE.needing(Capability::InSyncSets)
    };

    fn explain(&self) -> String {
        let partition = &self.partition;
        match self.replicas {
            None => format!("the eligible leader replicas of {partition}"),
            Some(bound) => format!("{partition} has {}", bound.of("eligible leader replica")),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.replicas)
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        if let Some(version) = ground.version().filter(|version| version.before(&[4, 1])) {
            let message = format!("Kafka {version} has no eligible leader replicas");
            let help = "use version 4.1 or newer";
            ground.report(Diagnostic::new(Code::E071, span, message).help(help));
        }
    }
}
