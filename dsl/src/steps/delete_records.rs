//! `delete_records`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::{BeforeOffset, TopicName};

args! {
    /// Deletes the oldest records of a topic, up to an offset (Kafka's DeleteRecords, Kafka 0.11 and newer).
    ///
    /// The step ends when the log of each partition begins at that offset: a consumer that starts at the earliest
    /// offset starts there. Deleted messages that had been acknowledged are not `lost`, they count as `expired`, as
    /// messages do that retention removes. For this their offsets must be known: those that a producer heard, unless
    /// it is idempotent or transactional, and those of delivered messages. If deleted messages of an idempotent
    /// producer were delivered to no consumer, `lost` and `expired` are inconclusive.
    ///
    /// Kafka refuses the step for topics that are only compacted (`POLICY_VIOLATION`), and an offset beyond the end
    /// of a partition (`OFFSET_OUT_OF_RANGE`).
    #[example("delete_records: { topic: orders, partition: 0, before: 100 }")]
    #[example("delete_records: { topic: orders, before: end }")]
    pub struct DeleteRecords("delete_records") {
        /// The topic.
        topic: Spanned<TopicName>,
        /// Only this partition. If it is not set, all partitions are meant.
        partition: Option<Spanned<u32>>,
        /// The offset of the first record that is kept, or `end`, which deletes all records that consumers can read.
        before: Spanned<BeforeOffset>,
    }
}

impl StepWord for DeleteRecords {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Topic)
    };

    fn explain(&self) -> String {
        let place = match &self.partition {
            Some(partition) => format!("{}/{partition}", self.topic),
            None => format!("topic {}", self.topic),
        };
        match self.before.value {
            BeforeOffset::Offset(offset) => {
                format!("Delete the records of {place} before {offset}")
            }
            BeforeOffset::End => format!("Delete all records of {place}"),
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::ChangeTopics)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.needs_kafka(at.key, "delete records on request", "0.11");
        let Some(topic) = ground.topic(&self.topic, false) else { return };
        if let Some(partition) = self.partition.as_ref().filter(|p| p.value >= topic.partitions) {
            let message = format!("topic `{}` has no partition {partition}", self.topic.value);
            let help = format!("its partitions are 0 to {}", topic.partitions.saturating_sub(1));
            ground.report(Diagnostic::new(Code::E054, partition.span, message).help(help));
        }
    }
}
