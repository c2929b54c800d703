//! How far a history was published at one moment: this orders it relative to other events without a clock.

use super::{HistoryError, HistoryFile};

/// What a history showed at one moment. A writer adds records, and messages to its last records:
/// whatever lies within the extent was published before that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Records that were final.
    settled: u64,
    /// How many messages each record after them held.
    open: Vec<u64>,
}

impl Extent {
    /// An extent with this number of final records, and with these numbers of messages in the later ones.
    pub fn new(settled: u64, open: Vec<u64>) -> Self {
        Self { settled, open }
    }

    /// Whether a record was there.
    pub fn holds(&self, index: u64) -> bool {
        index.checked_sub(self.settled).is_none_or(|at| at < self.open.len() as u64)
    }

    /// How many messages of a record, which has `count` of them now, were there.
    pub fn messages(&self, index: u64, count: u64) -> u64 {
        let Some(at) = index.checked_sub(self.settled) else { return count };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.open.get(at).map_or(0, |held| count.min(*held))
    }
}

impl HistoryFile {
    /// How far it is published: what was seen by the last [`HistoryFile::refresh`], and how many messages
    /// its last records hold by now.
    pub fn extent(&self) -> Result<Extent, HistoryError> {
        let settled = self.settled();
        let open = (settled..self.len()).map(|index| self.get(index).map(|run| run.count));
        Ok(Extent { settled, open: open.collect::<Result<_, _>>()? })
    }
}
