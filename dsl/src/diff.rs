//! Compares the meaning of two versions of a plan. Text that is written differently and has the same meaning is not
//! a change.
//!
//! Every change is reported with its effect on what the plan proves: a longer timeout, a dropped assert or a wider
//! bound makes the plan weaker.

use crate::plan::Plan;

mod align;
mod conditions;
mod fields;
mod flow;
mod render;
mod steps;
mod suites;
mod weigh;
mod whole;

pub use render::{DiffFormat, FileChange, FileDiff, render_diff};

/// The effect of a change on what a plan proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The plan proves less, or breaks less.
    Weaker,
    /// The plan proves more, or breaks more.
    Stronger,
    /// Neither of these is certain.
    Neutral,
}

impl Effect {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Weaker => "weaker",
            Self::Stronger => "stronger",
            Self::Neutral => "neutral",
        }
    }

    /// The opposite effect, as inside `not`.
    const fn inverted(self) -> Self {
        match self {
            Self::Weaker => Self::Stronger,
            Self::Stronger => Self::Weaker,
            Self::Neutral => Self::Neutral,
        }
    }

    /// The effect of several changes together. A weaker part is never hidden by the others.
    fn of_all(all: &[Self]) -> Self {
        if all.contains(&Self::Weaker) {
            Self::Weaker
        } else if !all.is_empty() && all.iter().all(|e| *e == Self::Stronger) {
            Self::Stronger
        } else {
            Self::Neutral
        }
    }
}

/// The part of a plan that a change is in, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanPart {
    /// Its name, description, tags, time limit and parameters.
    Head,
    /// The combinations of the matrix.
    Matrix,
    /// The steps.
    Steps,
    /// The rules of `always`.
    Always,
    /// The steps of `finally`.
    Finally,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its effect on what the plan proves.
    pub effect: Effect,
    /// The part of the plan.
    pub part: PlanPart,
    /// The step, if it is in one: `step 3 (kill_broker)`.
    pub step: Option<String>,
    /// What changed, in one line.
    pub text: String,
    /// The combinations of the matrix that have this change; empty means all.
    pub cells: Vec<String>,
    /// Its order among the changes of its part.
    order: usize,
}

impl Change {
    fn new(effect: Effect, part: PlanPart, text: impl Into<String>) -> Self {
        Self { effect, part, step: None, text: text.into(), cells: Vec::new(), order: 0 }
    }
}

/// Compares two versions of a plan by their suites. An empty result means that they have the same meaning.
pub fn diff(old: &[Plan], new: &[Plan]) -> Vec<Change> {
    let mut changes = suites::compare(old, new);
    for change in &mut changes {
        for plan in old.iter().chain(new) {
            change.text = plan.without_secrets(&change.text);
            change.step = change.step.take().map(|step| plan.without_secrets(&step));
            change.cells.iter_mut().for_each(|cell| *cell = plan.without_secrets(cell));
        }
    }
    changes
}
