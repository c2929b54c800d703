//! `alter_topic`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Settings, TopicName};

args! {
    /// Changes a topic: adds partitions, changes settings.
    ///
    /// Running producers keep sending only to the partitions that existed when they were started.
    #[example("alter_topic: { name: orders, config: { min.insync.replicas: 1 } }")]
    pub struct AlterTopic("alter_topic") {
        /// The topic's name.
        name: Spanned<TopicName>,
        /// The new number of partitions. It can only grow.
        partitions: Option<Spanned<u32>>,
        /// Settings to change.
        config: Settings,
    }
}

impl StepWord for AlterTopic {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Topics,
        ..StepFacts::of(Kind::Topic)
    };

    fn explain(&self) -> String {
        let partitions = self.partitions.as_ref().map(|n| format!("{n} partitions"));
        let changes: Vec<String> = partitions.into_iter().chain(self.config.shown()).collect();
        format!("Change topic {} to {}", self.name, crate::words::list(&changes))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.partitions.is_none() && self.config.is_empty() {
            let message = "`alter_topic` changes nothing";
            let help = "add `partitions` or `config`";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::ChangeTopics)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let topic = ground.topic(&self.name, false);
        // Of a topic that the plan does not create, the number of replicas is not known.
        ground.topic_settings(&self.config, topic.as_ref().map_or(u32::MAX, |t| t.replicas));
        let Some(topic) = topic else { return };
        if let Some(partitions) = self.partitions.as_ref().filter(|n| n.value <= topic.partitions) {
            let message = format!("the topic already has {} partitions", topic.partitions);
            let help = "the number of partitions can only grow";
            ground.report(Diagnostic::new(Code::E015, partitions.span, message).help(help));
        }
        if let Some(kept) = ground.state.topics.get_mut(self.name.as_str()) {
            if let Some(partitions) = &self.partitions {
                kept.partitions = partitions.value.max(kept.partitions);
                kept.assignment = None;
            }
            kept.set(&self.config);
        }
    }
}
