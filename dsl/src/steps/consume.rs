//! `consume`

use super::StepWord;
use super::produce::GivenMessage;
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Kind, Node};
use crate::facts::{self, Blurs, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};
use crate::value::{OffsetReset, TopicName};
use crate::words::{self, Sentence};

args! {
    /// Reads messages of a topic in the foreground and compares them with the expected ones.
    ///
    /// The order of messages is judged only within a partition.
    #[example("consume: { topic: hello, until: { count: 2 }, expect: [{ key: a, value: one }] }")]
    pub struct Consume("consume") {
        /// The topic to read.
        topic: Spanned<TopicName>,
        /// Where reading begins: `earliest` or `latest`.
        from: OffsetReset = "earliest",
        /// When reading ends: after `{count: N}` messages, or at `end`, the log end offset at the time when the
        /// step began.
        #[weighs(Count)]
        until: Spanned<Until> = "end",
        /// The messages that must be among the messages read, each once.
        #[weighs(Elements)]
        expect: Option<Spanned<Vec<GivenMessage>>>,
    }
}

/// When reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// At the log's end as it was when the step began.
    End,
    /// After so many messages.
    Count(u64),
}

args! {
    /// After so many messages.
    pub struct UntilCount("until") {
        /// How many.
        count: u64,
    }
}

impl Meaning for Until {
    fn meaning(&self) -> serde_json::Value {
        match self {
            Self::End => "end".into(),
            Self::Count(n) => serde_json::json!({ "count": n }),
        }
    }
}

impl FromNode for Until {
    const EXPECTS: &'static str = "`end` or `{count: N}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => reader.read::<UntilCount>(node).map(|u| Self::Count(u.count)),
            Kind::Scalar(scalar) if scalar.text == "end" => Some(Self::End),
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let count = UntilCount::schema(generator);
        schemars::json_schema!({ "anyOf": [{ "enum": ["end"] }, count] })
    }
}

impl Consume {
    fn reading(&self) -> String {
        match self.until.value {
            Until::End => format!("Read topic {} to its end", self.topic),
            Until::Count(n) => {
                format!("Read {} of topic {}", words::count(n, "message"), self.topic)
            }
        }
    }
}

impl StepWord for Consume {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        goes_on: true,
        ..StepFacts::of(facts::Kind::Judgement)
    };

    fn explain(&self) -> String {
        let expect = match &self.expect {
            Some(expect) => format!(", expecting {}", words::count(expect.len() as u64, "message")),
            None => String::new(),
        };
        self.reading() + &expect
    }

    fn in_full(&self) -> Sentence {
        match &self.expect {
            Some(expect) => Sentence {
                text: format!("{}, and check that these messages are among them", self.reading()),
                points: expect.iter().take(Sentence::MOST).map(GivenMessage::in_words).collect(),
            },
            None => Sentence::from(self.reading()),
        }
    }

    fn finds(&self) -> Option<String> {
        let expect = self.expect.as_ref().filter(|expect| !expect.is_empty())?;
        let messages = words::count(expect.len() as u64, "given message");
        Some(format!("Topic {} holds {messages}", self.topic))
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        let Some(expect) = &self.expect else { return };
        if let Until::Count(count) = self.until.value
            && expect.len() as u64 > count
        {
            let expected = words::count(expect.len() as u64, "message");
            let message = format!("{expected} in `expect`, but reading ends after {count}");
            reader.push(Diagnostic::new(Code::E063, self.until.span, message));
        }
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.topic(&self.topic, false);
        if self.until.value == Until::Count(0) {
            let help =
                "write how many messages to read, or remove `until` to read to the log's end";
            ground.judges_nothing(self.until.span, true, help);
        }
        if let Some(expect) = self.expect.as_ref().filter(|e| e.is_empty()) {
            let help = "write the messages that must be read, or remove `expect`";
            ground.judges_nothing(expect.span, true, help);
        }
    }

    fn judges(&self) -> bool {
        let expects = self.expect.as_ref().is_some_and(|e| !e.is_empty());
        expects || self.until.value != Until::Count(0)
    }
}
