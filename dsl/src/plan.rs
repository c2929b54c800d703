//! Plans and steps: valid once built. Only [`crate::check`] makes them.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::conditions::Conditions;
use crate::diagnostic::Diagnostic;
use crate::document::Node;
use crate::library::Library;
use crate::scope::{Scope, Values};
use crate::source::{Sources, Span, Spanned};
use crate::steps::Verb;
use crate::value::{CaptureName, ExpectedError, Expression, StepName};

pub(crate) mod fragment;
pub(crate) mod read;

/// One suite: a plan with one combination of its matrix.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The plan's name.
    pub name: Spanned<String>,
    /// The file, as it was given.
    pub path: PathBuf,
    /// The combination of the matrix, in the matrix's order; empty without one.
    pub cell: Vec<(String, String)>,
    /// Markdown.
    pub description: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Parameters with the values they have here, in the plan's order.
    pub params: Vec<Param>,
    /// How long the steps may take together; `finally` still runs after it.
    pub timeout: Spanned<Duration>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What must hold all the time.
    pub always: Vec<Always>,
    /// The steps that run whatever happened, those of included files last.
    pub finally: Vec<Step>,
    /// The files that the plan is made of.
    pub sources: Arc<Sources>,
}

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// True if it must never be shown.
    pub secret: bool,
    /// What it is for.
    pub description: Option<String>,
    /// The value it has unless another is given.
    pub default: Option<String>,
    /// Its type, if it is bound to one: `text`, `number`, `boolean`, `list` or `map`.
    pub kind: Option<&'static str>,
    /// The only values it may have; empty if it may have any.
    pub one_of: Vec<String>,
}

/// The value of a secret, where a value is shown.
pub const SECRET: &str = "***";

impl Param {
    /// The value, or stars for a secret.
    pub fn shown(&self) -> &str {
        self.hidden(&self.value)
    }

    /// One of its values, or stars for a secret.
    pub fn hidden<'v>(&self, value: &'v str) -> &'v str {
        if self.secret { SECRET } else { value }
    }
}

/// Conditions that must hold all the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Always {
    /// Where it stands.
    pub span: Spanned<()>,
    /// What must hold.
    pub that: Conditions,
    /// From the end of this step; without it, from when the conditions can be judged.
    pub from: Option<Spanned<StepName>>,
    /// Until this step begins; without it, until the last step.
    pub to: Option<Spanned<StepName>>,
}

impl Plan {
    /// `acks=all, version=4.1.1`, or nothing without a matrix.
    pub fn cell_label(&self) -> Option<String> {
        let pairs: Vec<String> = self.cell.iter().map(|(k, v)| format!("{k}={v}")).collect();
        (!pairs.is_empty()).then(|| pairs.join(", "))
    }

    /// The suite's name: the plan's, with the combination of the matrix in brackets.
    pub fn suite_name(&self) -> String {
        match self.cell_label() {
            Some(label) => format!("{} [{label}]", self.name),
            None => self.name.to_string(),
        }
    }

    /// The lines of a step as they stand in the plan.
    pub fn source_text(&self, head: &StepHead) -> &str {
        let source = self.sources.get(head.span.file);
        source.map_or("", |s| s.lines(head.lines.0, head.lines.1))
    }

    /// The file that a step stands in: the plan's, or an included one.
    pub fn file_of(&self, head: &StepHead) -> &std::path::Path {
        self.sources.get(head.span.file).map_or(&self.path, |s| s.path())
    }

    /// The text of a place, such as a condition's, as it stands in the plan.
    pub fn text_at(&self, span: Span) -> &str {
        self.sources.get(span.file).map_or("", |s| s.slice(span))
    }
}

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

/// What every step has beside its verb.
#[derive(Debug, Clone)]
pub struct StepHead {
    /// Its place among the steps.
    pub id: StepId,
    /// Its verb's word.
    pub word: &'static str,
    /// Where it stands.
    pub span: Span,
    /// Where its verb stands.
    pub key: Span,
    /// Its first and last line, from 1.
    pub lines: (u32, u32),
    /// Its name. A late template in it is shown as it was written until it is known.
    pub name: Option<Spanned<String>>,
    /// How long it may take.
    pub timeout: Option<Spanned<Duration>>,
    /// Whether it runs. See [`Expression::known`].
    pub when: Option<Expression>,
    /// True if a failure is only reported.
    pub optional: bool,
    /// What the step must fail with, and for no other reason.
    pub expect_error: Option<Spanned<ExpectedError>>,
    /// The name under which templates find what the step gives.
    pub capture: Option<Spanned<CaptureName>>,
}

impl PartialEq for StepHead {
    /// By meaning: a step that moved is still the same.
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
    /// What every step has.
    pub head: StepHead,
    /// What it does.
    pub action: Action,
}

/// What a step does, as far as it is known before the run.
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
    pub(crate) place: crate::read::ReadPlace,
    /// The steps of its `during`, which are known before its other arguments.
    pub(crate) during: Arc<[Step]>,
}

impl PartialEq for LateVerb {
    fn eq(&self, other: &Self) -> bool {
        same_text(&self.node, &other.node)
    }
}

/// True if two nodes read alike, wherever they stand.
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

/// A step with everything known.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyStep<'s> {
    /// What every step has.
    pub head: Cow<'s, StepHead>,
    /// What it does.
    pub verb: Cow<'s, Verb>,
}

impl Step {
    /// Its verb, if it is known before the run.
    pub const fn verb(&self) -> Option<&Verb> {
        match &self.action {
            Action::Ready(verb) => Some(verb),
            Action::Late(_) => None,
        }
    }

    /// One sentence without a full stop: what the step does, as far as it is known.
    pub fn explain(&self) -> String {
        match &self.action {
            Action::Ready(verb) => verb.explain(),
            Action::Late(_) => format!("{} (known when it runs)", self.head.word),
        }
    }

    /// Its name, or what it does.
    pub fn title(&self) -> String {
        self.head.name.as_ref().map_or_else(|| self.explain(), ToString::to_string)
    }

    /// What must never be shown of what [`Self::finish`] read: secrets whose values only the run knows.
    pub fn secrets(&self) -> std::collections::BTreeSet<String> {
        match &self.action {
            Action::Ready(_) => std::collections::BTreeSet::new(),
            Action::Late(late) => late.library.secrets(),
        }
    }

    /// The step with what the run knows by now: late arguments are read again.
    pub fn finish(&self, values: &Arc<Values>) -> Result<ReadyStep<'_>, Vec<Diagnostic>> {
        match &self.action {
            Action::Ready(verb) => {
                Ok(ReadyStep { head: Cow::Borrowed(&self.head), verb: Cow::Borrowed(verb) })
            }
            Action::Late(late) => read::read_late(late, &self.head, values),
        }
    }
}
