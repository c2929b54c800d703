//! `replicas_differ`

use super::clause::there;
use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bound, BoundGroup, PartitionRef, TopicName};

args! {
    /// Offsets at which the in-sync replicas do not all hold the same record.
    ///
    /// Up to the high watermark, every in-sync replica must hold every record. kplan reads their segment files from
    /// the brokers' disks and compares them record by record: offset, timestamp, key, value and headers. A record
    /// that is missing or damaged in one of them is a difference too. In a compacted topic, a record may have been
    /// removed from one replica and not yet from another.
    ///
    /// The condition is inconclusive if fewer than two replicas are in sync, if no record could be compared, or if
    /// a disk cannot be read.
    #[example("replicas_differ: 0")]
    pub struct ReplicasDiffer("replicas_differ") short "is" {
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition, such as `orders/0`.
        partition: Option<Spanned<PartitionRef>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for ReplicasDiffer {
    const FACTS: ConditionFacts =
        ConditionFacts { reads_log: true, ..ConditionFacts::NONE.needing(Capability::Disks) };

    fn explain(&self) -> String {
        let number = match self.bound {
            None => "records that differ".to_owned(),
            Some(Bound::Is(0) | Bound::AtMost(0)) => "no record that differs".to_owned(),
            Some(bound) if bound.is_of_one() => format!("{bound} record that differs"),
            Some(bound) => format!("{bound} records that differ"),
        };
        let place = match (&self.partition, &self.topic) {
            (Some(partition), _) => format!(" of {partition}"),
            (None, Some(topic)) => format!(" of topic {topic}"),
            (None, None) => String::new(),
        };
        format!("{number} between in-sync replicas{place}")
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.topic.is_some() && self.partition.is_some() {
            let message = "`replicas_differ` takes a `topic` or a `partition`, not both";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
    }

    fn clause(&self) -> String {
        there(self.explain())
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
