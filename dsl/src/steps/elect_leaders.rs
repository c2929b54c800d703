//! `elect_leaders`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::{ElectionType, TopicName};

args! {
    /// Asks the controller to elect leaders, and waits until the elected replicas are leaders.
    ///
    /// The step fails with Kafka's error if a partition cannot elect a leader in this way (its first replica is
    /// down, or no replica is alive). A partition that needs no election is not an error. Unclean elections need
    /// Kafka 2.4 or newer.
    #[example("elect_leaders: orders")]
    #[example("elect_leaders: { topic: orders, kind: unclean }")]
    pub struct ElectLeaders("elect_leaders") short "topic" {
        /// The topic whose partitions elect leaders.
        topic: Spanned<TopicName>,
        /// `preferred`, or `unclean`, which may lose messages.
        kind: ElectionType = "preferred",
    }
}

impl StepWord for ElectLeaders {
    const FACTS: StepFacts = StepFacts::of(Kind::Repair);

    fn explain(&self) -> String {
        format!("Elect {} leaders for topic {}", self.kind, self.topic)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Elections)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.topic(&self.topic, false);
        ground.state.elected_unclean |= self.kind == ElectionType::Unclean;
    }
}
