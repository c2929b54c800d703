//! `offline_partitions`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::{Bound, BoundGroup, TopicName};

args! {
    /// Partitions that have no living leader.
    #[example("offline_partitions: { topic: orders, is: 0 }")]
    pub struct OfflinePartitions("offline_partitions") short "is" {
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for OfflinePartitions {
    fn explain(&self) -> String {
        let number = match self.bound {
            None => "partitions without a leader".to_owned(),
            Some(Bound::Is(0)) => "no partition without a leader".to_owned(),
            Some(bound) => format!("{} without a leader", bound.of("partition")),
        };
        match &self.topic {
            Some(topic) => format!("{number} of topic {topic}"),
            None => number,
        }
    }

    fn judged(&self) -> Judgeable {
        if self.bound.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
