//! Judges histories while they are written: counts, progress, recovery, unavailability. Pure
//! functions over [`HistoryFile`]s; the caller refreshes the files first.
//!
//! Times are exact to [`super::RUN_SPAN_US`], the longest time that one run covers.

mod availability;
mod gaps;
mod holders;
mod merged;
mod progress;
mod recovery;
mod tally;
#[cfg(test)]
mod tests;
mod untold;
mod window;

pub use availability::{consumer_gaps, producer_gaps};
pub use gaps::{Away, Gap, GapTime, SenderFiles, absent_us};
pub use holders::{Holders, Holding, Mate};
pub use progress::{Answered, SentSince};
pub use recovery::{Onset, Waited, waits};
pub use tally::{Counts, FileTally};
pub use untold::{Untold, untold_gaps};
pub use window::{Asked, Standing, Window};

use super::{HistoryError, HistoryFile, MessageRun};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionPlace {
    /// The topic's name.
    pub topic: String,
    pub partition: u32,
}

impl PartitionPlace {
    /// Partition `partition` of `topic`.
    pub fn new(topic: &str, partition: u32) -> Self {
        Self { topic: topic.to_owned(), partition }
    }
}

impl std::fmt::Display for PartitionPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// The partition that a run of `file` is about. A topic that the header does not name is damage.
fn place(file: &HistoryFile, run: &MessageRun) -> Result<PartitionPlace, HistoryError> {
    match file.header().topics.get(usize::from(run.topic)) {
        Some(topic) => Ok(PartitionPlace::new(topic, run.partition)),
        None => Err(HistoryError::damaged(file.path(), "a run of a topic that it does not name")),
    }
}
