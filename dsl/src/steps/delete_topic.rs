//! `delete_topic`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::TopicName;

args! {
    /// Deletes a topic.
    #[example("delete_topic: orders")]
    pub struct DeleteTopic("delete_topic") short "name" {
        /// The topic's name.
        name: Spanned<TopicName>,
    }
}

impl StepWord for DeleteTopic {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Topics,
        ..StepFacts::of(Kind::Topic)
    };

    fn explain(&self) -> String {
        format!("Delete topic {}", self.name)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::ChangeTopics)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.topic(&self.name, false);
        if let Some(topic) = ground.state.topics.get_mut(self.name.as_str()) {
            topic.gone = true;
        }
    }
}
