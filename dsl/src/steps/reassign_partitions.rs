//! `reassign_partitions`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, StepFacts};
use crate::source::Spanned;
use crate::value::{Assignment, Bandwidth, TopicName};

args! {
    /// Moves the replicas of a topic to other brokers, and waits until they are there and in sync.
    ///
    /// The assignment names every partition. A throttle is taken away again when the move has ended.
    #[example("reassign_partitions: { topic: orders, assignment: { 0: [2, 3], 1: [3, 1] } }")]
    pub struct ReassignPartitions("reassign_partitions") {
        /// The topic.
        topic: Spanned<TopicName>,
        /// The brokers of each partition, the preferred leader first.
        assignment: Spanned<Assignment>,
        /// The most that is copied a second.
        throttle: Option<Bandwidth>,
    }
}

impl StepWord for ReassignPartitions {
    const FACTS: StepFacts = StepFacts::of(Kind::Repair);

    fn explain(&self) -> String {
        format!("Move the replicas of topic {}", self.topic)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Reassignment)]
    }
}
