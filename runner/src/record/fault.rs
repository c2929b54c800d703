//! The faults that a suite made, and when they were in effect.

use crate::event::{FaultId, FaultKind, StepRun};

/// A fault in effect.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpan {
    /// Which.
    pub id: FaultId,
    /// What it does.
    pub kind: FaultKind,
    /// The step that made it.
    pub step: StepRun,
    /// In words.
    pub what: String,
    /// Begin.
    pub from_us: i64,
    /// End; none if it was not recorded.
    pub until_us: Option<i64>,
}

impl FaultSpan {
    /// A limit of what the fault proves.
    pub fn caution(&self) -> Option<&'static str> {
        let killed = self.kind == FaultKind::NodeKilled;
        killed.then_some("SIGKILL keeps the page cache: a process crash, not a loss of power")
    }

    /// Microseconds between a moment and the fault; 0 while it was in effect.
    pub fn distance_us(&self, at_us: i64, suite_end_us: i64) -> i64 {
        let until = self.until_us.unwrap_or(suite_end_us).max(self.from_us);
        if at_us < self.from_us { self.from_us - at_us } else { (at_us - until).max(0) }
    }
}
