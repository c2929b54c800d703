//! Plans: valid once built. Only [`crate::check`] makes them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::conditions::Conditions;
use crate::source::{Sources, Span, Spanned};
use crate::value::StepName;
use crate::visible::SECRET;

pub use crate::steps::{Action, LateVerb, ReadyStep, Step, StepHead, StepId};

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
    /// What must never be shown: values of secret parameters and of environment variables.
    pub(crate) secrets: Arc<BTreeSet<String>>,
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

    /// The step of a name, wherever it stands.
    pub fn step_named(&self, name: &str) -> Option<&Step> {
        [&self.steps, &self.finally].into_iter().find_map(|steps| named(steps, name))
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

fn named<'p>(steps: &'p [Step], name: &str) -> Option<&'p Step> {
    steps.iter().find_map(|step| {
        if step.head.name.as_ref().is_some_and(|own| own.as_str() == name) {
            return Some(step);
        }
        step.children().into_iter().find_map(|inner| named(inner, name))
    })
}
