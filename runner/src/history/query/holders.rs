//! Which client of a group holds each partition: a reader is judged on the partitions that it holds.
//!
//! A client holds a partition from its assignment until the partition is assigned to another client of its group, also
//! while no client reads it: a long rebalance counts as its wait. A partition without any assignment yet counts for all
//! clients.

use std::collections::BTreeMap;

use super::{PartitionPlace, place};
use crate::history::{HistoryError, HistoryFile, Mark};

/// Another client of a reader's group.
#[derive(Debug)]
pub struct Mate {
    /// The histories of all its members and lives.
    pub files: Vec<HistoryFile>,
    /// It does not run, and the client does.
    pub gone: bool,
}

/// Whether a client holds a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It is the client's since it took it over from another one; `i64::MIN` if it never did.
    Own { since_us: i64 },
    /// Another client has it.
    Another,
    /// It was assigned to another client, which no longer runs, and no client has taken it over yet.
    Left,
}

impl Holding {
    /// Since when the client waits for messages of the partition; none if it does not.
    pub fn since_us(self) -> Option<i64> {
        match self {
            Self::Own { since_us } => Some(since_us),
            Self::Another => None,
            Self::Left => Some(i64::MIN),
        }
    }
}

/// When each partition was assigned, and to which client.
#[derive(Debug, Default)]
pub struct Holders {
    /// By partition, in the order of time; none for the client itself, else whether the other one is gone.
    turns: BTreeMap<PartitionPlace, Vec<(i64, Option<bool>)>>,
}

impl Holders {
    /// Reads the assignments. Without other clients in the group all partitions are the client's own.
    pub fn read(own: &[HistoryFile], mates: &[Mate]) -> Result<Self, HistoryError> {
        let mut this = Self::default();
        if mates.is_empty() {
            return Ok(this);
        }
        let others = mates.iter().flat_map(|m| m.files.iter().map(|file| (file, Some(m.gone))));
        for (file, who) in own.iter().map(|file| (file, None)).chain(others) {
            for run in file.iter_from(0) {
                let run = run?;
                if run.mark == Mark::Assigned {
                    this.turns.entry(place(file, &run)?).or_default().push((run.first_us, who));
                }
            }
        }
        this.turns.values_mut().for_each(|turns| turns.sort_by_key(|(at, _)| *at));
        Ok(this)
    }

    /// Whether the client holds a partition now.
    pub fn now(&self, place: &PartitionPlace) -> Holding {
        let turns = self.turns.get(place).map(Vec::as_slice).unwrap_or_default();
        match turns.last() {
            Some((_, Some(gone))) => [Holding::Another, Holding::Left][usize::from(*gone)],
            _ => {
                let taken = turns.iter().rposition(|(_, who)| who.is_some());
                let since = taken.and_then(|other| turns.get(other + 1)).map(|(at, _)| *at);
                Holding::Own { since_us: since.unwrap_or(i64::MIN) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{
        Writer,
        fixture::{header, history, message},
    };

    /// What a client was given when, on partition 0.
    fn given(dir: &std::path::Path, client: &str, times: &[i64]) -> HistoryFile {
        let all: Vec<_> = times.iter().map(|at| message(Mark::Assigned, 0, 0, 0, *at)).collect();
        history(dir, &header(Writer::Consumer, client, 2, 1), &all)
    }

    #[test]
    fn a_partition_is_the_clients_that_was_given_it_last() {
        let own = Holding::Own { since_us: i64::MIN };
        for (own_times, others, gone, holding) in [
            (&[][..], &[][..], false, own),
            (&[1], &[], false, own),
            (&[1, 5], &[], true, own),
            (&[1], &[2], false, Holding::Another),
            (&[], &[2], false, Holding::Another),
            (&[1], &[2], true, Holding::Left),
            (&[1, 3, 4], &[2], false, Holding::Own { since_us: 3 }),
            (&[1, 3], &[2, 4], false, Holding::Another),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let files = vec![given(dir.path(), "D", others)];
            let mates = [Mate { files, gone }];
            let holders = Holders::read(&[given(dir.path(), "C", own_times)], &mates);
            let place = PartitionPlace::new("orders", 0);
            let found = holders.expect("readable").now(&place);
            assert_eq!(found, holding, "{own_times:?} and {others:?}");
        }
    }
}
