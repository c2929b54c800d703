//! `alter_topic`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Settings, TopicName};

args! {
    /// Changes a topic: more partitions, other settings.
    ///
    /// Producers that run keep to the partitions that they knew when they were started.
    #[example("alter_topic: { name: orders, config: { min.insync.replicas: 1 } }")]
    pub struct AlterTopic("alter_topic") {
        /// Its name.
        name: Spanned<TopicName>,
        /// How many partitions it has then; never fewer.
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
        let config = self.config.iter().map(|(k, v)| format!("{k}={v}"));
        let changes: Vec<String> = partitions.into_iter().chain(config).collect();
        format!("Change topic {} to {}", self.name, crate::words::list(&changes))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.partitions.is_none() && self.config.is_empty() {
            let message = "`alter_topic` changes nothing";
            let help = "give it `partitions` or `config`";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::ChangeTopics)]
    }
}
