//! `reassign_partitions`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::{Assignment, Bandwidth, TopicName};

args! {
    /// Moves the replicas of a topic to other brokers, and waits until they have moved and are in sync.
    ///
    /// The assignment must name every partition. A throttle is removed when the move has ended.
    #[example("reassign_partitions: { topic: orders, assignment: { 0: [2, 3], 1: [3, 1] } }")]
    pub struct ReassignPartitions("reassign_partitions") {
        /// The topic.
        topic: Spanned<TopicName>,
        /// The brokers of each partition, the preferred leader first.
        assignment: Spanned<Assignment>,
        /// The greatest number of bytes that are copied per second.
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

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let topic = ground.topic(&self.topic, false);
        ground.assigned_brokers(&self.assignment);
        for broker in self.assignment.0.iter().flatten() {
            ground.must_be_up(broker.value, "get a replica", broker.span);
        }
        if let Some(topic) = topic.filter(|t| self.assignment.0.len() > t.partitions as usize) {
            let message =
                format!("topic `{}` has only {} partitions", self.topic.value, topic.partitions);
            ground.report(Diagnostic::new(Code::E054, self.assignment.span, message));
        }
        if let Some(topic) = ground.state.topics.get_mut(self.topic.as_str()) {
            topic.assignment = None;
        }
    }
}
