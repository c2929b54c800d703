//! Counts of one history, updated as it grows.

use std::collections::BTreeMap;

use super::{PartitionPlace, place};
use crate::history::{HistoryError, HistoryFile, Mark, MessageRun};

/// Messages of one partition, by their outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to librdkafka.
    pub sent: u64,
    /// Acknowledged; in a transaction: and committed.
    pub acked: u64,
    /// The part of `acked` that was in a transaction.
    pub committed: u64,
    /// Acknowledged in a transaction that was aborted.
    pub aborted: u64,
    /// Failed for good, by librdkafka's code.
    pub failed: BTreeMap<i32, u64>,
    /// Written to a socket with acks=0.
    pub written: u64,
    /// Deliveries of this run's messages, also repeated ones.
    pub delivered: u64,
    /// Deliveries of messages without an identity of this run, or with a broken one.
    pub strange: u64,
}

impl Counts {
    /// Failed for good, whatever the code.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Adds what another history counts.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.committed += other.committed;
        self.aborted += other.aborted;
        for (code, count) in &other.failed {
            *self.failed.entry(*code).or_default() += count;
        }
        self.written += other.written;
        self.delivered += other.delivered;
        self.strange += other.strange;
    }
}

/// Counts one history; repeated calls only read what is new.
#[derive(Clone, Debug, Default)]
pub struct FileTally {
    settled: u64,
    sums: Sums,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    by: BTreeMap<PartitionPlace, Counts>,
    /// Acknowledged in transactions whose end is not known yet, by transaction.
    open: BTreeMap<u32, BTreeMap<PartitionPlace, u64>>,
}

impl Sums {
    fn add(&mut self, file: &HistoryFile, run: &MessageRun) -> Result<(), HistoryError> {
        match run.mark {
            Mark::Committed | Mark::Aborted => {
                for (place, count) in self.open.remove(&run.epoch).unwrap_or_default() {
                    let counts = self.by.entry(place).or_default();
                    if run.mark == Mark::Committed {
                        counts.acked += count;
                        counts.committed += count;
                    } else {
                        counts.aborted += count;
                    }
                }
            }
            Mark::Acked if run.epoch != 0 => {
                let open = self.open.entry(run.epoch).or_default();
                *open.entry(place(file, run)?).or_default() += run.count;
            }
            Mark::Unsettled => drop(self.open.remove(&run.epoch)),
            mark => {
                let counts = self.by.entry(place(file, run)?).or_default();
                match mark {
                    Mark::Sent => counts.sent += run.count,
                    Mark::Acked => counts.acked += run.count,
                    Mark::Failed => *counts.failed.entry(run.error).or_default() += run.count,
                    Mark::Written => counts.written += run.count,
                    Mark::Delivered => counts.delivered += run.count,
                    Mark::Foreign | Mark::Corrupt => counts.strange += run.count,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl FileTally {
    /// The counts as of the file's last refresh. Always give it the same file.
    pub fn counts(
        &mut self,
        file: &HistoryFile,
    ) -> Result<BTreeMap<PartitionPlace, Counts>, HistoryError> {
        let settled = file.settled();
        let mut now = None;
        let mut index = self.settled;
        for run in file.iter_from(self.settled) {
            if index == settled {
                // From here on runs may still grow: they are counted anew each time.
                now = Some(self.sums.clone());
            }
            now.as_mut().unwrap_or(&mut self.sums).add(file, &run?)?;
            index += 1;
            self.settled = index.min(settled).max(self.settled);
        }
        Ok(now.map_or_else(|| self.sums.by.clone(), |sums| sums.by))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Counts, FileTally, PartitionPlace};
    use crate::history::{
        HistoryFile, HistoryWriter, Mark, Message, OPEN_WINDOW, RunRecorder, Writer,
        fixture::{header, history, message},
    };

    fn orders(partition: u32) -> PartitionPlace {
        PartitionPlace::new("orders", partition)
    }

    #[test]
    fn counts_what_became_of_messages() {
        let dir = tempfile::tempdir().unwrap();
        let txn = |mark, seq, epoch| Message { epoch, ..message(mark, 1, seq, seq as i64, 9) };
        let end = |mark, epoch| Message { epoch, ..message(mark, 0, 0, -1, 10) };
        let failed = Message { error: -192, ..message(Mark::Failed, 0, 2, -1, 3) };
        let file = history(
            dir.path(),
            &header(Writer::ProducerHeard, "P", 1, 1),
            &[
                message(Mark::Acked, 0, 0, 0, 1),
                message(Mark::Acked, 0, 1, 1, 2),
                failed,
                txn(Mark::Acked, 0, 1),
                txn(Mark::Acked, 1, 1),
                end(Mark::Committed, 1),
                txn(Mark::Acked, 2, 2),
                end(Mark::Aborted, 2),
                txn(Mark::Acked, 3, 3),
            ],
        );
        let counts = FileTally::default().counts(&file).unwrap();
        let first = Counts { acked: 2, failed: BTreeMap::from([(-192, 1)]), ..Counts::default() };
        let second = Counts { acked: 2, committed: 2, aborted: 1, ..Counts::default() };
        assert_eq!(counts, BTreeMap::from([(orders(0), first), (orders(1), second)]));
    }

    #[test]
    fn keeps_up_with_a_growing_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("C");
        let writer = HistoryWriter::create(&path, &header(Writer::Consumer, "C", 2, 1)).unwrap();
        let mut recorder = RunRecorder::new(writer);
        let mut file = HistoryFile::open(&path).unwrap();
        let mut tally = FileTally::default();
        for seq in 0..5 * OPEN_WINDOW {
            // Every other message begins a run of its own; the rest extend one.
            let at = message(Mark::Delivered, 0, seq, seq as i64, seq as i64 / 2 * 20_000);
            recorder.record(&at).unwrap();
            if seq % 777 == 0 {
                file.refresh().unwrap();
                let delivered = tally.counts(&file).unwrap()[&orders(0)].delivered;
                assert_eq!(delivered, seq + 1);
                assert_eq!(tally.settled, file.settled(), "what is settled is read once");
            }
        }
    }
}
