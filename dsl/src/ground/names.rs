//! The names that a plan's steps make, and the steps followed so far.

use std::collections::BTreeSet;

use crate::source::Span;

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
