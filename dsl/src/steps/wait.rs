//! `wait`

use std::any::Any;
use std::time::Duration;

use super::StepWord;
use crate::args::{Arguments, WordInfo, args};
use crate::conditions::Conditions;
use crate::document::{Kind, Node};
use crate::facts::{self, Blurs, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};
use crate::value::duration_text;
use crate::words::{Sentence, spoken};

/// Waits for a time, or until conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// For a time.
    Pause(Spanned<Duration>),
    /// Until conditions hold, and not longer than a time.
    Until(WaitUntil),
}

args! {
    /// Waits for a time (`wait: 30s`), or until every condition of a list holds.
    ///
    /// A `wait` whose conditions do not become true in time ends the plan's steps; `finally` still runs.
    #[example("wait: 30s")]
    #[example("wait: { until: [{ progressing: [P, C] }], within: 60s }")]
    pub struct WaitUntil("wait") short "until" {
        /// The conditions, which must all hold.
        #[weighs(Conditions)]
        until: Conditions,
        /// The time limit.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        within: Spanned<Duration> = "60s",
        /// How often kplan checks conditions whose changes do not trigger a check by themselves.
        poll: Option<Spanned<Duration>>,
    }
}

impl Wait {
    /// The documentation of the word.
    pub const INFO: WordInfo = WaitUntil::INFO;
}

impl Meaning for Wait {
    fn meaning(&self) -> serde_json::Value {
        match self {
            Self::Pause(time) => time.meaning(),
            Self::Until(it) => it.meaning(),
        }
    }
}

impl FromNode for Wait {
    const EXPECTS: &'static str = "a duration, a list of conditions, or `{until, within}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => reader.read(node).map(Self::Pause),
            Kind::Scalar(_) => {
                reader.expected::<Self>(node);
                None
            }
            _ => reader.read(node).map(Self::Until),
        }
    }

    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let until = WaitUntil::schema(generator);
        let pause = crate::schema::or_template(Duration::schema(generator));
        schemars::json_schema!({ "anyOf": [pause, until] })
    }
}

impl Arguments for Wait {
    fn parts<'p>(&'p self, show: &mut dyn FnMut(&'p dyn Any)) {
        if let Self::Until(wait) = self {
            wait.parts(show);
        }
    }
}

impl StepWord for Wait {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        ends: facts::StepEnds::WithAVerdict,
        ..StepFacts::of(facts::Kind::Judgement)
    };

    fn explain(&self) -> String {
        match self {
            Self::Pause(time) => format!("Wait {}", duration_text(time.value)),
            Self::Until(wait) => {
                let within = duration_text(wait.within.value);
                format!("Wait until {}, at most {within}", wait.until.explain())
            }
        }
    }

    fn in_full(&self) -> Sentence {
        let wait = match self {
            Self::Pause(time) => return Sentence::from(format!("Wait {}", spoken(time.value))),
            Self::Until(wait) => wait,
        };
        let within = spoken(wait.within.value);
        match wait.until.as_ref() {
            [one] => Sentence::from(format!("Wait until {}, at most {within}", one.clause())),
            _ => Sentence {
                text: format!("Wait, at most {within}, until all of these conditions hold"),
                points: wait.until.clauses(),
            },
        }
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if let Self::Until(wait) = self {
            let help = "to judge at once, write an `assert` without `within`";
            reader.must_last("within", Some(&wait.within), Some(help));
            reader.must_last("poll", wait.poll.as_ref(), None);
            wait.until.must_be_judged(reader);
            wait.until.must_not_be_watched(reader);
        }
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.takes(self.pause().unwrap_or_default());
    }

    fn needs_cluster(&self) -> bool {
        self.pause().is_none()
    }

    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Pause(time) => Some(time.value),
            Self::Until(_) => None,
        }
    }

    fn judges(&self) -> bool {
        matches!(self, Self::Until(wait) if wait.until.may_be_false())
    }
}
