//! Running totals over growing history files; records that were counted are not read again.

use std::{collections::HashMap, path::PathBuf};

use crate::history::{HistoryFile, Mark, MessageRun};

/// How many messages a client sent, had acknowledged or delivered, and lost for good.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub sent: u64,
    /// Acknowledged (a producer) or delivered (a consumer).
    pub done: u64,
    pub failed: u64,
    files: HashMap<PathBuf, Counted>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    records: u64,
    sums: [u64; 3],
}

impl Totals {
    /// Counts what was written since the last call. Files that cannot be read yet count next time.
    pub fn refresh(&mut self, paths: &[PathBuf]) {
        let mut all = [0; 3];
        for path in paths {
            let counted = self.files.entry(path.clone()).or_default();
            let Ok(file) = HistoryFile::open(path) else { continue };
            let settled = file.settled();
            let mut open = [0; 3];
            for (index, run) in (counted.records..).zip(file.iter_from(counted.records)) {
                let Ok(run) = run else { break };
                let sums = if index < settled { &mut counted.sums } else { &mut open };
                add(sums, &run);
            }
            counted.records = counted.records.max(settled);
            for ((sum, settled), open) in all.iter_mut().zip(counted.sums).zip(open) {
                *sum += settled + open;
            }
        }
        [self.sent, self.done, self.failed] = all;
    }
}

fn add(sums: &mut [u64; 3], run: &MessageRun) {
    match run.mark {
        Mark::Sent => sums[0] += run.count,
        Mark::Acked | Mark::Delivered | Mark::Foreign | Mark::Corrupt => sums[1] += run.count,
        Mark::Failed => sums[2] += run.count,
        _ => {}
    }
}
