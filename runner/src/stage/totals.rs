//! Running totals over growing history files; records that were counted are not read again.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use crate::history::{HistoryFile, Mark, MessageRun, query::PartitionPlace};

/// How many messages a client sent, had acknowledged or delivered, and lost for good.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub sent: u64,
    /// Acknowledged (a producer) or delivered (a consumer).
    pub done: u64,
    pub failed: u64,
    /// `done` of each partition that the client uses.
    pub partitions: BTreeMap<PartitionPlace, u64>,
    files: HashMap<PathBuf, Counted>,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    records: u64,
    sums: FileSums,
}

#[derive(Clone, Debug, Default)]
struct FileSums {
    sent: u64,
    failed: u64,
    /// By the number of the topic in its file, and the partition.
    done: BTreeMap<(u16, u32), u64>,
}

impl Totals {
    /// Counts what was written since the last call. Files that cannot be read yet count next time.
    pub fn refresh(&mut self, paths: &[PathBuf]) {
        (self.sent, self.done, self.failed) = (0, 0, 0);
        self.partitions.clear();
        for path in paths {
            let counted = self.files.entry(path.clone()).or_default();
            let Ok(file) = HistoryFile::open(path) else { continue };
            let settled = file.settled();
            let mut open = FileSums::default();
            for (index, run) in (counted.records..).zip(file.iter_from(counted.records)) {
                let Ok(run) = run else { break };
                let sums = if index < settled { &mut counted.sums } else { &mut open };
                sums.add(&run);
            }
            counted.records = counted.records.max(settled);
            let topics = file.header().topics.clone();
            for sums in [&counted.sums, &open] {
                self.sent += sums.sent;
                self.failed += sums.failed;
                for ((topic, partition), done) in &sums.done {
                    self.done += done;
                    if let Some(topic) = topics.get(usize::from(*topic)) {
                        let place = PartitionPlace::new(topic, *partition);
                        *self.partitions.entry(place).or_default() += done;
                    }
                }
            }
        }
    }
}

impl FileSums {
    fn add(&mut self, run: &MessageRun) {
        let place = (run.topic, run.partition);
        match run.mark {
            Mark::Sent => {
                self.sent += run.count;
                self.done.entry(place).or_default();
            }
            Mark::Acked | Mark::Delivered | Mark::Foreign | Mark::Corrupt => {
                *self.done.entry(place).or_default() += run.count;
            }
            Mark::Failed => self.failed += run.count,
            _ => {}
        }
    }
}
