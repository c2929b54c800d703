//! `elect_leaders`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::{ElectionType, TopicName};

args! {
    /// Asks the controller to elect leaders, and waits until they lead.
    ///
    /// A partition that cannot elect so (its first replica is down, no replica lives) fails the step
    /// with Kafka's error; one that need not is no error. Unclean elections exist from Kafka 2.4 on.
    #[example("elect_leaders: orders")]
    #[example("elect_leaders: { topic: orders, kind: unclean }")]
    pub struct ElectLeaders("elect_leaders") short "topic" {
        /// The topic whose partitions get new leaders.
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
