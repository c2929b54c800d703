//! Compares the meaning of a compacted topic's replicas. Each replica is compacted at its own time, so they hold
//! different records, but must have the same value of every key.
//!
//! Compaction removes a record only where a newer one of its key stands in the same log, a record of
//! an aborted transaction once that has ended, a tombstone (a record without a value) once the older
//! values of its key are gone, and the end of a transaction once its records are gone. A follower that
//! was away gets what the leader still has, in its active segment too: a gap there proves
//! nothing. So, for the records that committed readers see:
//!
//! - a replica that lacks the newest record of a key must hold a newer one itself, or nothing of the
//!   key where the newest record is a tombstone;
//! - a replica that lacks the end of a transaction must lack its records too, else those of an aborted
//!   one can be read there;
//! - a record whose transaction has not ended is on every replica.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::{
    compare::{Comparison, Has},
    log::Entry,
};

/// Keys, and records of open transactions, that are kept: some 100 MB.
const MOST: usize = 1_000_000;
/// A set of replicas, by their places in the list.
type Mask = u32;

/// What is known about a key.
#[derive(Default)]
struct Key {
    /// The offset of its newest record below the range's end, none yet: −1.
    newest: i64,
    /// Whether that is a tombstone.
    deleted: bool,
    /// Whether one beyond the range is.
    deleted_beyond: bool,
    /// The replicas that hold that record.
    holds: Mask,
    /// The replicas that hold that record or something else at its offset, which is a difference by itself.
    stands: Mask,
    /// The replicas that hold an older one.
    older: Mask,
    /// The replicas that hold one beyond the range.
    beyond: Mask,
}

/// A record of a transaction that has not ended.
struct Open {
    offset: i64,
    key: Option<u128>,
    tombstone: bool,
    holds: Mask,
    /// The replicas that hold something at its offset, or are compared there already.
    stands: Mask,
}

/// A record that stands where it should and is missing elsewhere.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Lone {
    offset: i64,
    /// Whether a single replica holds it: else those that do were compared already.
    alone: bool,
    text: String,
}

impl Lone {
    fn new(offset: i64, holds: Mask, text: String) -> Self {
        Self { offset, alone: holds.count_ones() < 2, text }
    }
}

/// The newest record of each key, over all replicas. Records come in the order of their offsets.
pub(super) struct Keys {
    /// The end of what is compared.
    end: i64,
    /// The brokers, and where their logs begin.
    brokers: Vec<(u32, i64)>,
    keys: HashMap<u128, Key>,
    open: BTreeMap<i64, Vec<Open>>,
    /// How many these are.
    pending: usize,
    /// What is kept at most.
    most: usize,
    full: bool,
    found: Vec<Lone>,
}

impl Keys {
    pub(super) fn new(end: i64, brokers: Vec<(u32, i64)>) -> Self {
        Self {
            end,
            full: brokers.len() > Mask::BITS as usize,
            brokers,
            keys: HashMap::new(),
            open: BTreeMap::new(),
            pending: 0,
            most: MOST,
            found: Vec::new(),
        }
    }

    /// Takes in what the replicas hold at an offset; `alike` is whether that is no difference yet.
    pub(super) fn take(&mut self, offset: i64, has: &[Has], alike: bool) {
        if self.full {
            return;
        }
        let Some(entry) = has.iter().find_map(record) else { return };
        let mask = |which: &dyn Fn(&Has) -> bool| {
            let set = has.iter().enumerate().filter(|(_, one)| which(one));
            set.fold(0, |mask, (at, _)| mask | 1 << at)
        };
        let holds = mask(&|one| record(one).is_some());
        let stands = if alike { mask(&|one| *one != Has::Nothing) } else { Mask::MAX };
        match (entry.control, entry.producer) {
            (true, Some(producer)) => self.end_of(producer, offset, entry, stands),
            (true, None) => {}
            (false, producer) => {
                let key = entry.key.as_deref().map(hash);
                let tombstone = entry.value.is_none();
                let record = Open { offset, key, tombstone, holds, stands };
                match producer {
                    Some(producer) => {
                        self.open.entry(producer).or_default().push(record);
                        self.pending += 1;
                    }
                    None => self.visible(&record),
                }
            }
        }
        if self.keys.len() + self.pending > self.most {
            self.full = true;
            self.keys = HashMap::new();
            self.open = BTreeMap::new();
        }
    }

    /// A transaction ends: its records become visible, or never will.
    fn end_of(&mut self, producer: i64, offset: i64, marker: &Entry, stands: Mask) {
        let Some(committed) = commits(marker) else { return };
        let mut records = self.open.remove(&producer).unwrap_or_default();
        self.pending -= records.len();
        if stands == Mask::MAX {
            // The replicas differ in how it ended: what its records mean is that difference.
            records.iter_mut().for_each(|record| record.stands = Mask::MAX);
        }
        let held = records.iter().fold(0, |mask, record| mask | record.holds);
        let (lack, hold) =
            (self.brokers_of(offset, held & !stands), self.brokers_of(offset, stands));
        if offset < self.end && !lack.is_empty() {
            let word = if committed { "commits" } else { "aborts" };
            let text = format!("{hold} holds what {word} a transaction, {lack} only its records");
            self.found.push(Lone::new(offset, stands, text));
        }
        if committed || stands == Mask::MAX {
            records.iter().for_each(|record| self.visible(record));
        }
    }

    /// A record that committed readers see. Those of transactions come late.
    fn visible(&mut self, record: &Open) {
        // Without a key it belongs to the time before the topic was compacted, which removes it.
        let Some(hash) = record.key else { return };
        let key = self.keys.entry(hash).or_insert_with(|| Key { newest: -1, ..Key::default() });
        if record.offset >= self.end {
            key.beyond |= record.holds;
            key.deleted_beyond |= record.tombstone;
        } else if record.offset > key.newest {
            key.older |= key.holds;
            (key.newest, key.deleted) = (record.offset, record.tombstone);
            (key.holds, key.stands) = (record.holds, record.stands);
        } else {
            key.older |= record.holds;
        }
    }

    /// Counts what differs.
    pub(super) fn judge(mut self, out: &mut Comparison) {
        if self.full {
            out.doubts.push(format!(
                "there are more than {} keys and records of open transactions, or more than {} \
                 replicas: whether each key's newest record stands on each replica was not compared",
                self.most,
                Mask::BITS
            ));
        }
        for (_, key) in std::mem::take(&mut self.keys) {
            if key.newest < 0 {
                continue;
            }
            let lacks = !(key.stands | key.beyond);
            // Deleted, and the tombstone is gone with all that it deleted.
            let gone = key.deleted || key.deleted_beyond;
            let lacks = if gone { lacks & key.older } else { lacks };
            let who = self.brokers_of(key.newest, lacks);
            if !who.is_empty() {
                let holds = self.brokers_of(key.newest, key.holds);
                let back = if key.deleted { "; a deleted key comes back with it" } else { "" };
                let text = format!(
                    "{holds} holds the newest record of a key, {who} neither that nor a newer \
                     one{back}"
                );
                self.found.push(Lone::new(key.newest, key.holds, text));
            }
        }
        for record in std::mem::take(&mut self.open).into_values().flatten() {
            let who = self.brokers_of(record.offset, !record.stands);
            if record.offset < self.end && !who.is_empty() {
                let holds = self.brokers_of(record.offset, record.holds);
                let text = format!(
                    "{holds} holds a record of a transaction without an end, {who} nothing"
                );
                self.found.push(Lone::new(record.offset, record.holds, text));
            }
        }
        self.found.sort();
        for lone in self.found {
            out.compared += u64::from(lone.alone);
            out.differ(lone.offset, || lone.text);
        }
        out.examples.sort_by_key(|example| example.offset);
    }

    /// Lists the replicas of a set whose logs begin at or before an offset.
    fn brokers_of(&self, offset: i64, mask: Mask) -> String {
        let of = self.brokers.iter().take(Mask::BITS as usize).enumerate();
        let of = of.filter(|(at, (_, start))| mask & 1 << at != 0 && *start <= offset);
        let names: Vec<String> = of.map(|(_, (broker, _))| format!("broker {broker}")).collect();
        names.join(" and ")
    }
}

fn record(one: &Has) -> Option<&Entry> {
    match one {
        Has::Record(entry) => Some(entry),
        _ => None,
    }
}

/// Whether a control record commits; none if it ends no transaction.
fn commits(marker: &Entry) -> Option<bool> {
    // Version and type.
    match marker.key.as_deref()? {
        [_, _, 0, 0, ..] => Some(false),
        [_, _, 0, 1, ..] => Some(true),
        _ => None,
    }
}

fn hash(key: &[u8]) -> u128 {
    let digest: [u8; 32] = Sha256::digest(key).into();
    digest.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests;
