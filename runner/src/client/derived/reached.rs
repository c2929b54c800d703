//! How far a reader has read, for the runner.

use std::sync::atomic::Ordering;

use crate::{
    client::spec::Common,
    history::{HistoryError, Words},
};

/// The most partitions of an output that are tracked: others count as not read.
const PARTITIONS: usize = 4_096;

/// Up to which offset each partition of a service's output was read and recorded. The reader and the runner share it.
#[derive(Debug)]
pub struct OutputReached(Words);

impl OutputReached {
    /// Opens the file of a reader, or makes it.
    pub fn open(common: &Common) -> Result<Self, HistoryError> {
        Words::open(&common.reached_path(), PARTITIONS).map(Self)
    }

    pub(super) fn set(&self, partition: u32, offset: i64) {
        if let Some(word) = self.0.get().get(partition as usize) {
            word.store(offset.max(0).unsigned_abs(), Ordering::Release);
        }
    }

    /// Whether everything before this offset was read.
    pub fn has(&self, partition: u32, end: i64) -> bool {
        let word = self.0.get().get(partition as usize);
        word.is_some_and(|word| word.load(Ordering::Acquire) >= end.max(0).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_not_reached() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(dir.path().join("history")).expect("a directory");
        let common = Common { dir: dir.path().to_owned(), ..Common::unstarted("S", [].into()) };
        let open = || OutputReached::open(&common).expect("a file");
        let (writes, reads) = (open(), open());
        assert!(reads.has(0, 0) && !reads.has(0, 1), "nothing was there to read");
        writes.set(0, 7);
        assert!(reads.has(0, 7) && !reads.has(0, 8) && !reads.has(1, 1));
        let beyond = u32::try_from(PARTITIONS).expect("small");
        writes.set(beyond, 7);
        assert!(!reads.has(beyond, 1), "it is not tracked");
    }
}
