//! The history: what each client sent, which answers and deliveries it got, and what the audit found in the log.
//!
//! A history file is a sequence of fixed-size [`MessageRun`]s behind a header page, written through a
//! shared mapping ([`HistoryWriter`]): the page cache survives the writer's SIGKILL, and a run is
//! extended by one release store of its count, so nothing can be torn. There is no line for each
//! message. [`RunRecorder`] makes runs out of single messages; [`HistoryFile`] reads them, also
//! while they are written; [`query`] judges them.
//!
//! Times are microseconds of the machine's monotonic clock ([`now_us`]), which all processes of one
//! machine share and no clock step disturbs; [`RunClock`] turns them into wall-clock time.

mod extent;
mod layout;
mod mapped;
pub mod query;
mod reader;
mod recorder;
mod run;
mod words;
mod writer;

use serde::{Deserialize, Serialize};

pub use extent::Extent;
pub use layout::{HistoryError, OPEN_WINDOW};
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use reader::{HistoryFile, Runs};
pub use recorder::{Message, RunRecorder};
pub use run::{Mark, MessageRun, RUN_SPAN_US};
pub use words::Words;
pub use writer::{Handle, HistoryWriter};

/// Which process wrote a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    /// What a producer sent ([`Mark::Sent`] only).
    ProducerSent,
    /// The answers that a producer got (acked, failed, transaction ends).
    ProducerHeard,
    /// What was delivered to a consumer.
    Consumer,
    /// What the audit found in the log.
    Audit,
    /// What a step of the plan collected of a service's output, in the form of the audit.
    Collected,
}

/// The header of a history file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The run's id.
    pub run: String,
    pub writer: Writer,
    /// The client's name in the plan (`audit` for the audit).
    pub client: String,
    /// The client's number in this suite, from 1; 0 for the audit.
    pub client_id: u16,
    /// The group's member, from 1; 1 for producers.
    pub member: u16,
    pub life: u16,
    /// Topic names that [`MessageRun::topic`] points into.
    pub topics: Vec<String>,
    /// Consumer group, for consumers.
    pub group: Option<String>,
    /// Process id of the writer.
    pub pid: u32,
}

/// Ties the monotonic clock of the history to the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunClock {
    /// Monotonic microseconds at the anchor.
    pub mono_us: i64,
    /// Unix time in microseconds at the anchor.
    pub wall_us: i64,
}

impl RunClock {
    /// Anchors the clocks now.
    pub fn now() -> Self {
        Self { mono_us: now_us(), wall_us: jiff::Timestamp::now().as_microsecond() }
    }

    /// The monotonic time of Unix microseconds.
    pub fn mono_us(&self, wall_us: i64) -> i64 {
        self.mono_us + (wall_us - self.wall_us)
    }

    /// Unix microseconds of a monotonic time.
    pub fn wall_us(&self, mono_us: i64) -> i64 {
        self.wall_us + (mono_us - self.mono_us)
    }
}

/// Microseconds of the machine's monotonic clock (`CLOCK_MONOTONIC`), shared by all processes.
pub fn now_us() -> i64 {
    use nix::time::{ClockId, clock_gettime};
    let t = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    t.tv_sec() * 1_000_000 + t.tv_nsec() / 1_000
}
