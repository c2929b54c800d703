//! `under_replicated_partitions`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::{Bound, BoundGroup, TopicName};

args! {
    /// Partitions that have fewer in-sync replicas than replicas.
    #[example("under_replicated_partitions: { topic: orders, is: 0 }")]
    pub struct UnderReplicatedPartitions("under_replicated_partitions") short "is" {
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for UnderReplicatedPartitions {
    fn explain(&self) -> String {
        let number = match self.bound {
            None => "under-replicated partitions".to_owned(),
            Some(Bound::Is(0)) => "no under-replicated partition".to_owned(),
            Some(bound) => bound.of("under-replicated partition"),
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
