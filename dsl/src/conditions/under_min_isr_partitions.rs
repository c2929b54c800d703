//! `under_min_isr_partitions`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::{Bound, BoundGroup, TopicName};

args! {
    /// Partitions that have fewer in-sync replicas than `min.insync.replicas`: they refuse writes
    /// with `acks: all`.
    #[example("under_min_isr_partitions: { topic: orders, is: 0 }")]
    pub struct UnderMinIsrPartitions("under_min_isr_partitions") short "is" {
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for UnderMinIsrPartitions {
    fn explain(&self) -> String {
        let number = match self.bound {
            None => "partitions below min.insync.replicas".to_owned(),
            Some(Bound::Is(0)) => "no partition below min.insync.replicas".to_owned(),
            Some(bound) => format!("{} below min.insync.replicas", bound.of("partition")),
        };
        match &self.topic {
            Some(topic) => format!("{number} of topic {topic}"),
            None => number,
        }
    }

    fn judged(&self) -> Judgeable {
        if self.bound.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::InSyncSets)]
    }
}
