//! The names that a plan's steps make, and the steps followed so far.

use std::collections::BTreeSet;

use super::Ground;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::source::{Span, Spanned};
use crate::value::StepName;

/// Every name that any step of the plan makes.
#[derive(Debug, Default)]
pub struct Ever<'p> {
    pub topics: BTreeSet<&'p str>,
    pub clients: BTreeSet<&'p str>,
    pub groups: BTreeSet<String>,
    /// Those of the topics that belong to programs outside the plan.
    pub external: BTreeSet<&'p str>,
    /// Those of the groups that belong to programs outside the plan.
    pub external_groups: BTreeSet<&'p str>,
    pub names: BTreeSet<&'p str>,
    /// Names of faults that a condition with `sent: before` refers to: they need no traffic.
    pub at_rest: BTreeSet<&'p str>,
    pub cluster: Option<Span>,
}

/// A step with a name that was followed.
#[derive(Debug, Clone, Copy)]
pub struct Met {
    /// True if it has a target, so that `same_as` can refer to its brokers.
    pub has_target: bool,
    pub runs: Runs,
    pub is_note: bool,
    /// True if it may break something, or contains steps that may.
    pub may_break: bool,
    /// Its place among the steps with a name, by its first run.
    pub first: usize,
    /// Messages may have been sent after it began.
    pub followed: bool,
    pub span: Span,
    /// An earlier step of the same name that certainly ran, too.
    pub twice: Option<Span>,
}

/// Whether a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    Yes,
    /// Its `when` is false.
    No,
    /// Its `when`, or that of a step around it, is known only while the plan runs.
    Perhaps,
}

impl Runs {
    /// Whether a step runs that is followed twice, in two rounds of a loop.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::No, Self::No) => Self::No,
        }
    }
}

impl Ground<'_> {
    /// Reports a name that no step has or, unless `any_time`, no earlier step.
    pub fn step_name(&mut self, name: &Spanned<StepName>, any_time: bool) {
        let text = name.as_str();
        if let Some(met) = self.names.get(text) {
            if let Some(earlier) = met.twice {
                let (message, help) = (
                    format!("two steps have the name \"{text}\": this means the later one"),
                    "give each step a name of its own",
                );
                let twice = Diagnostic::new(Code::W027, name.span, message).help(help);
                let (later, place) = ("the later one", met.span);
                self.report(twice.related(earlier, "the earlier one").related(place, later));
            }
            return;
        }
        if any_time && self.ever.names.contains(text) {
            return;
        }
        let diagnostic = if self.ever.names.contains(text) {
            Diagnostic::new(Code::E053, name.span, format!("step \"{text}\" comes after this step"))
        } else {
            let message = format!("no step has the name \"{text}\"");
            let help = did_you_mean(text, self.ever.names.iter().copied());
            Diagnostic::new(Code::E053, name.span, message)
                .maybe_help(help.or_else(|| Some("set `name` on the step that is meant".into())))
        };
        self.report(diagnostic);
    }
}
