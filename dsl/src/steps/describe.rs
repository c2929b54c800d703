//! `describe`

use super::StepWord;
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{DescribeWhat, TopicName};
use crate::words::Sentence;

args! {
    /// Writes a description of a topic or of the cluster into the report.
    ///
    /// A topic's description shows each partition's leader, replicas and in-sync replicas.
    #[example("describe: { topic: orders }")]
    #[example("describe: cluster")]
    pub struct Describe("describe") short "what" {
        /// `cluster` describes the whole cluster.
        what: Option<DescribeWhat>,
        /// The topic to describe.
        topic: Option<Spanned<TopicName>>,
    }
}

impl StepWord for Describe {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Observation)
    };

    fn explain(&self) -> String {
        match &self.topic {
            Some(topic) => format!("Describe topic {topic}"),
            None => "Describe the cluster".to_owned(),
        }
    }

    fn in_full(&self) -> Sentence {
        let what = match &self.topic {
            Some(topic) => format!("topic {topic}"),
            None => "the cluster".to_owned(),
        };
        Sentence::from(format!("Write the state of {what} into the report"))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.what.is_some() == self.topic.is_some() {
            let message = "`describe` takes `cluster` or `{topic: NAME}`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        if let Some(topic) = &self.topic {
            ground.topic(topic, false);
        }
    }
}
