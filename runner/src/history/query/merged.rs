//! Several histories, read as one.

use std::{cmp::Reverse, collections::BinaryHeap, iter::Peekable};

use crate::history::{HistoryError, HistoryFile, MessageRun, Runs};

/// Runs of several histories in the order of their first message; at the same time in the order of
/// the files.
pub(super) struct Merged<'a> {
    files: Vec<(&'a HistoryFile, Peekable<Runs<'a>>)>,
    heap: BinaryHeap<Reverse<(i64, usize)>>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(files: &[&'a HistoryFile]) -> Self {
        let files = files.iter().map(|file| (*file, file.iter_from(0).peekable())).collect();
        let mut this = Self { files, heap: BinaryHeap::new() };
        for i in 0..this.files.len() {
            this.push(i);
        }
        this
    }

    fn push(&mut self, i: usize) {
        if let Some(next) = self.files[i].1.peek() {
            let at = next.as_ref().map_or(i64::MIN, |run| run.first_us);
            self.heap.push(Reverse((at, i)));
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<(&'a HistoryFile, MessageRun), HistoryError>> {
        let Reverse((_, i)) = self.heap.pop()?;
        let file = self.files[i].0;
        let run = self.files[i].1.next()?;
        self.push(i);
        Some(run.map(|run| (file, run)))
    }
}
