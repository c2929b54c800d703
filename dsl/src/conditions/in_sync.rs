//! `in_sync`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bound, PartitionRef, TopicName};

args! {
    /// How many replicas of a partition are in sync, for every partition of a topic or for one.
    #[example("in_sync: { topic: orders, replicas: 3 }")]
    pub struct InSync("in_sync") short "topic" {
        /// Every partition of this topic.
        topic: Option<Spanned<TopicName>>,
        /// This partition only.
        partition: Option<Spanned<PartitionRef>>,
        /// How many replicas, as a number or a bound.
        replicas: Option<Bound<u64>>,
    }
}

impl ConditionWord for InSync {
    fn explain(&self) -> String {
        let whose = match (&self.partition, &self.topic) {
            (Some(partition), _) => partition.to_string(),
            (None, Some(topic)) => format!("every partition of {topic}"),
            (None, None) => "every partition".to_owned(),
        };
        match self.replicas {
            None => format!("the in-sync replicas of {whose}"),
            Some(bound) => format!("{whose} has {} in sync", bound.of("replica")),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.replicas.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        let message = match (&self.topic, &self.partition) {
            (Some(_), None) | (None, Some(_)) => return,
            (None, None) => "`in_sync` needs a `topic` or a `partition`",
            (Some(_), Some(_)) => "`in_sync` takes a `topic` or a `partition`, not both",
        };
        reader.push(Diagnostic::new(Code::E016, span, message));
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::InSyncSets)]
    }
}
