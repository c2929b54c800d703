//! The suite's way to the events of the run: each is stamped with the suite that it belongs to.

use std::sync::Arc;

use crate::{
    event::{Event, SuiteId},
    stage::Run,
};

/// Records the events of one suite.
pub struct Telling {
    run: Arc<Run>,
    suite: SuiteId,
}

impl Telling {
    pub(super) fn new(run: Arc<Run>, suite: SuiteId) -> Self {
        Self { run, suite }
    }

    /// Records that something happens now.
    pub fn emit(&self, event: Event) {
        self.run.sink.emit(Some(self.suite), event);
    }

    /// Records that something happened at a monotonic time.
    pub fn emit_at(&self, mono_us: i64, event: Event) {
        self.run.sink.emit_at(mono_us, Some(self.suite), event);
    }
}
