//! `lag`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{BoundGroup, GroupName, PartitionRef, TopicName};

args! {
    /// The number of visible messages after a group's committed offsets. The lag of a partition without a committed
    /// offset is unknown, not 0.
    #[example("lag: { group: readers, topic: orders, is: 0 }")]
    pub struct Lag("lag") short "group" {
        /// The group.
        group: Spanned<GroupName>,
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition.
        partition: Option<Spanned<PartitionRef>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for Lag {
    const FACTS: ConditionFacts = ConditionFacts { reads_log: true, ..ConditionFacts::NONE };

    fn explain(&self) -> String {
        let group = &self.group;
        let of = match (&self.partition, &self.topic) {
            (Some(partition), _) => format!(" in {partition}"),
            (None, Some(topic)) => format!(" in topic {topic}"),
            (None, None) => String::new(),
        };
        match self.bound {
            None => format!("the lag of group {group}{of}"),
            Some(bound) => format!("group {group} lags by {}{of}", bound.of("message")),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
