//! Plans. A plan is always valid: only [`crate::check`] makes one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::conditions::Conditions;
use crate::meaning::Meaning as _;
use crate::source::{Sources, Span, Spanned};
use crate::steps::Verb;
use crate::value::{ChosenClient, External, StepName};
use crate::visible::SECRET;

pub use crate::steps::{Action, LateVerb, ReadyStep, Step, StepHead, StepId};

/// One suite: a plan with one combination of its matrix.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The plan's name.
    pub name: Spanned<String>,
    /// The path of the file, as given.
    pub path: PathBuf,
    /// The combination of the matrix, in the order of the matrix; empty without a matrix.
    pub cell: Vec<(String, String)>,
    /// Markdown.
    pub description: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// The parameters with their values in this suite, in the order of the plan.
    pub params: Vec<Param>,
    /// The time limit of all steps together; `finally` still runs after it.
    pub timeout: Spanned<Duration>,
    /// The brokers of a cluster that exists before the plan; none if kplan starts the cluster.
    pub existing: Option<ExistingBrokers>,
    /// Topics and groups of programs outside the plan.
    pub external: Option<External>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The rules that must hold all the time.
    pub always: Vec<Always>,
    /// The steps of `finally`, which run at the end whatever happened. Those of included files are last.
    pub finally: Vec<Step>,
    /// The files of the plan.
    pub sources: Arc<Sources>,
    /// Secrets, which must never be shown: values of secret parameters and of environment variables.
    pub(crate) secrets: Arc<BTreeSet<String>>,
}

/// What a plan says of the brokers of a cluster that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExistingBrokers {
    /// The numbers that brokers have, as far as the backend file or the plan says it.
    pub numbers: BTreeSet<u32>,
    /// The numbers that the plan's steps and conditions contain, each at its first place. The cluster must have them.
    pub named: Vec<Spanned<u32>>,
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
    /// Its description.
    pub description: Option<String>,
    /// Its default value.
    pub default: Option<String>,
    /// Its type, if it has one: `text`, `number`, `boolean`, `list` or `map`.
    pub kind: Option<&'static str>,
    /// The allowed values; empty if any value is allowed.
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
    /// The rule applies from the end of this step; without it, from the time when the conditions can be judged.
    pub from: Option<Spanned<StepName>>,
    /// The rule applies until this step begins; without it, until the end of the last step.
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

    /// The step of this name, at any place of the plan.
    pub fn step_named(&self, name: &str) -> Option<&Step> {
        [&self.steps, &self.finally].into_iter().find_map(|steps| named(steps, name))
    }

    /// Its steps and those inside them, in their order.
    pub(crate) fn all_steps(&self) -> Vec<&Step> {
        let mut all = Vec::new();
        [&self.steps, &self.finally].into_iter().for_each(|steps| walk(steps, &mut all));
        all
    }

    /// The clients of other programs that its steps start, each once.
    pub fn programs(&self) -> Vec<&ChosenClient> {
        let mut all = Vec::new();
        for step in self.all_steps() {
            let chosen = match step.verb() {
                Some(Verb::StartProducer(it)) => Some(&it.client.value),
                Some(Verb::StartConsumer(it)) => Some(&it.client.value),
                _ => None,
            };
            all.extend(chosen.filter(|c| c.program.is_some() && !all.contains(c)));
        }
        all
    }

    /// The same as the map `clients` of a plan, in its canonical form.
    pub fn programs_meant(&self) -> serde_json::Value {
        let all = self.programs().into_iter();
        all.filter_map(|c| Some((c.name.clone(), c.program.as_ref()?.meaning()))).collect()
    }

    /// The lines of a step, as written in the plan.
    pub fn source_text(&self, head: &StepHead) -> &str {
        let source = self.sources.get(head.span.file);
        source.map_or("", |s| s.lines(head.lines.0, head.lines.1))
    }

    /// The file of a step: the plan's file or an included one.
    pub fn file_of(&self, head: &StepHead) -> &std::path::Path {
        self.sources.get(head.span.file).map_or(&self.path, |s| s.path())
    }

    /// A place as `FILE:LINE`, for people.
    pub fn place_of(&self, span: Span) -> String {
        let source = self.sources.get(span.file);
        let line = source.map_or(0, |s| s.line(span.start));
        let path = source.map_or(self.path.as_path(), |s| s.path());
        format!("{}:{line}", path.display())
    }

    /// The text at a place, such as a condition's, as written in the plan.
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

fn walk<'p>(steps: &'p [Step], all: &mut Vec<&'p Step>) {
    for step in steps {
        all.push(step);
        step.children().into_iter().for_each(|inner| walk(inner, all));
    }
}
