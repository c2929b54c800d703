//! Steps: the keys beside the verb, and steps that are known only while the plan runs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::document::Node;
use crate::facts::StepFacts;
use crate::ground::StepAt;
use crate::library::Library;
use crate::meaning::{Meaning, ordered, put};
use crate::read::ReadPlace;
use crate::scope::{Scope, Values};
use crate::source::{Span, Spanned};
use crate::steps::{Branch, Round, Verb};
use crate::value::{CaptureName, ExpectedError, Expression};

/// The place of a step among the steps: `3`, `7.2` (a step inside step 7), `5.left.1` (in a
/// branch), `finally.1`. The same in every round of a `repeat`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub(crate) String);

impl StepId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The common part of a step, beside its verb.
#[derive(Debug, Clone)]
pub struct StepHead {
    /// Its id.
    pub id: StepId,
    /// Its verb's word.
    pub word: &'static str,
    /// The static properties of its verb.
    pub facts: &'static StepFacts,
    /// The place of the step.
    pub span: Span,
    /// The place of its verb.
    pub key: Span,
    /// Its first and last line, from 1.
    pub lines: (u32, u32),
    /// Its name. A late template in it is shown as written until its value is known.
    pub name: Option<Spanned<String>>,
    /// How long it may take.
    pub timeout: Option<Spanned<Duration>>,
    /// Whether it runs. See [`Expression::known`].
    pub when: Option<Expression>,
    /// True if a failure is only reported.
    pub optional: bool,
    /// The error with which the step must fail, and no other.
    pub expect_error: Option<Spanned<ExpectedError>>,
    /// The name by which templates can use the step's result.
    pub capture: Option<Spanned<CaptureName>>,
}

impl PartialEq for StepHead {
    /// By meaning: a step at another place is still equal.
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
            && self.name == other.name
            && self.timeout == other.timeout
            && self.when == other.when
            && self.optional == other.optional
            && self.expect_error == other.expect_error
            && self.capture == other.capture
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The common part.
    pub head: StepHead,
    /// The verb.
    pub action: Action,
}

/// The verb of a step, as far as it is known before the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Known.
    Ready(Verb),
    /// Known only while the plan runs: an argument depends on a capture or on the run.
    Late(LateVerb),
}

/// A step whose arguments are known only while the plan runs.
#[derive(Debug, Clone)]
pub struct LateVerb {
    pub(crate) node: Arc<Node>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) library: Arc<Library>,
    pub(crate) place: ReadPlace,
    /// The steps of its `during`, which are known before its other arguments.
    pub(crate) during: Arc<[Step]>,
}

impl PartialEq for LateVerb {
    fn eq(&self, other: &Self) -> bool {
        same_text(&self.node, &other.node)
    }
}

/// True if two nodes are equal apart from their places.
fn same_text(one: &Node, other: &Node) -> bool {
    use crate::document::Kind;
    match (&one.kind, &other.kind) {
        (Kind::Scalar(a), Kind::Scalar(b)) => a == b,
        (Kind::Seq(a), Kind::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_text(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let same = |(a, b): (&crate::document::Entry, &crate::document::Entry)| {
                a.key == b.key && same_text(&a.value, &b.value)
            };
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        _ => false,
    }
}

/// The steps of the `during` that was read last. The step that contains it takes them.
#[derive(Debug, Default)]
pub(crate) struct During(pub Arc<[Step]>);

/// Steps of `finally` of included files. The plan takes them.
#[derive(Debug, Default)]
pub(crate) struct Finally(pub Vec<Step>);

/// A step with all arguments known.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyStep<'s> {
    /// The common part.
    pub head: Cow<'s, StepHead>,
    /// The verb.
    pub verb: Cow<'s, Verb>,
}

/// The steps that a verb contains, without those of `during`.
#[derive(Debug, Clone, Copy)]
pub enum Children<'s> {
    /// None.
    None,
    /// The rounds of a loop, one after the other.
    Rounds(&'s [Round]),
    /// Lists that run in parallel.
    Branches(&'s [Branch]),
    /// The steps of another file.
    Steps(&'s [Step]),
}

impl Step {
    /// The place of its verb.
    pub(crate) fn at(&self) -> StepAt<'_> {
        let head = &self.head;
        let name = head.name.as_ref().map(|name| name.as_str());
        StepAt { word: head.word, facts: head.facts, name, span: head.span, key: head.key }
    }

    /// The lists of steps that it contains: rounds, branches, an included file, the `during` of a fault.
    pub fn children(&self) -> Vec<&[Self]> {
        match self.verb().map_or(Children::None, Verb::children) {
            Children::None => Some(self.during()).filter(|d| !d.is_empty()).into_iter().collect(),
            Children::Rounds(rounds) => {
                let mut all: Vec<&[Self]> = rounds.iter().map(|r| &*r.steps).collect();
                all.dedup_by(|a, b| std::ptr::eq(*a, *b));
                all
            }
            Children::Branches(branches) => branches.iter().map(|b| b.steps.as_slice()).collect(),
            Children::Steps(steps) => vec![steps],
        }
    }

    /// The steps in it, of every round, branch and included file.
    pub fn inside(&self) -> Vec<&Self> {
        match self.verb().map(Verb::children) {
            Some(Children::Rounds(rounds)) => rounds.iter().flat_map(|r| r.steps.iter()).collect(),
            _ => self.inside_once(),
        }
    }

    /// The same, with only the first round of a `repeat`.
    pub fn inside_once(&self) -> Vec<&Self> {
        match self.verb().map(Verb::children) {
            Some(Children::Rounds(rounds)) => {
                rounds.first().map(|r| r.steps.iter().collect()).unwrap_or_default()
            }
            _ => self.children().into_iter().flatten().collect(),
        }
    }

    /// The steps of its `during`, even if its other arguments are known only when it runs.
    pub fn during(&self) -> &[Self] {
        match &self.action {
            Action::Ready(verb) => verb.during(),
            Action::Late(late) => &late.during,
        }
    }

    /// Its verb, if it is known before the run.
    pub const fn verb(&self) -> Option<&Verb> {
        match &self.action {
            Action::Ready(verb) => Some(verb),
            Action::Late(_) => None,
        }
    }

    /// What the step does, as far as it is known: one sentence without a full stop.
    pub fn explain(&self) -> String {
        match &self.action {
            Action::Ready(verb) => verb.explain(),
            Action::Late(_) => format!("{} (arguments known only when it runs)", self.head.word),
        }
    }

    /// Its name, or what it does.
    pub fn title(&self) -> String {
        self.head.name.as_ref().map_or_else(|| self.explain(), ToString::to_string)
    }

    /// The secrets in what [`Self::finish`] reads whose values only the run knows. They must never be shown.
    pub fn secrets(&self) -> std::collections::BTreeSet<String> {
        match &self.action {
            Action::Ready(_) => std::collections::BTreeSet::new(),
            Action::Late(late) => late.library.secrets(),
        }
    }

    /// The expressions of the templates in its late arguments.
    pub fn late_expressions(&self) -> Vec<String> {
        let Action::Late(_) = &self.action else { return Vec::new() };
        let text = self.arguments().to_string();
        let opened = text.split("{{").skip(1).filter_map(|part| part.split_once("}}"));
        opened.map(|(expression, _)| expression.to_owned()).collect()
    }

    /// The step with late arguments read again with the current values of the run.
    pub fn finish(&self, values: &Arc<Values>) -> Result<ReadyStep<'_>, Vec<Diagnostic>> {
        match &self.action {
            Action::Ready(verb) => {
                Ok(ReadyStep { head: Cow::Borrowed(&self.head), verb: Cow::Borrowed(verb) })
            }
            Action::Late(late) => super::read::read_late(late, &self.head, values),
        }
    }
}

impl StepHead {
    /// The meaning of the keys beside the verb.
    pub(crate) fn add_to(&self, map: &mut Map<String, Value>) {
        put(map, "name", self.name.meaning());
        put(map, "timeout", self.timeout.meaning());
        put(map, "when", self.when.meaning());
        put(map, "optional", if self.optional { true.into() } else { Value::Null });
        put(map, "expect_error", self.expect_error.meaning());
        put(map, "capture", self.capture.as_ref().map_or(Value::Null, |c| c.as_str().into()));
    }
}

impl Step {
    /// The meaning of the step, as a step of a plan in its longest form, without the steps that it contains.
    pub fn meaning(&self) -> Value {
        let mut map = Map::new();
        self.head.add_to(&mut map);
        map.insert(self.head.word.to_owned(), self.arguments());
        Value::Object(map)
    }

    /// The meaning of its verb's arguments. Late arguments are as written.
    pub(crate) fn arguments(&self) -> Value {
        match &self.action {
            Action::Ready(verb) => verb.meaning(),
            Action::Late(late) => {
                let written = late.node.get(self.head.word).map_or(Value::Null, Meaning::meaning);
                ordered(written)
            }
        }
    }
}
