use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::records::{Compression, Record};
use proptest::prelude::*;

use super::{
    super::{
        compare::{Replica, compare},
        log::testing::{encoded, log, record},
    },
    *,
};

/// One record of a simulated log.
#[derive(Clone, Debug, PartialEq)]
struct Rec {
    offset: i64,
    producer: Option<i64>,
    what: What,
    /// A pass of the cleaner has kept it, the next one may remove it: a tombstone, or the end of a
    /// transaction of which nothing is left.
    kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Put(u8, u8),
    Delete(u8),
    /// Commits, or aborts.
    End(bool),
}

impl Rec {
    fn key(&self) -> Option<u8> {
        match self.what {
            What::Put(key, _) | What::Delete(key) => Some(key),
            What::End(_) => None,
        }
    }

    fn record(&self) -> Record {
        let bytes = |bytes: &[u8]| Some(Bytes::copy_from_slice(bytes));
        let (key, value) = match self.what {
            What::Put(key, value) => (bytes(&[key]), bytes(&[value])),
            What::Delete(key) => (bytes(&[key]), None),
            What::End(commit) => (bytes(&[0, 0, 0, u8::from(commit)]), bytes(&[0; 6])),
        };
        Record {
            transactional: self.producer.is_some(),
            control: matches!(self.what, What::End(_)),
            producer_id: self.producer.unwrap_or(-1),
            key,
            value,
            ..record(self.offset)
        }
    }
}

type Recs = Vec<Rec>;

const NONE: [i64; 0] = [];

fn put(offset: i64, key: u8) -> Rec {
    Rec { offset, producer: None, what: What::Put(key, offset as u8), kept: false }
}

fn delete(offset: i64, key: u8) -> Rec {
    Rec { what: What::Delete(key), ..put(offset, key) }
}

fn end(offset: i64, commit: bool) -> Rec {
    Rec { what: What::End(commit), producer: Some(1), ..put(offset, 0) }
}

fn of(producer: i64, rec: Rec) -> Rec {
    Rec { producer: Some(producer), ..rec }
}

fn compared(logs: &[(i64, Recs)], end: i64) -> Comparison {
    let (mut replicas, mut dirs) = (Vec::new(), Vec::new());
    for ((start, recs), broker) in logs.iter().zip(1..) {
        let bytes: Vec<u8> =
            recs.iter().flat_map(|r| encoded(&[r.record()], Compression::None)).collect();
        let (log, dir) = log(&bytes);
        replicas.push(Replica { broker, start: *start, log });
        dirs.push(dir);
    }
    compare(replicas, 0..end, true, &|_| String::new())
}

/// The offsets at which two replicas differ.
fn differ(one: &[Rec], two: &[Rec], end: i64) -> Vec<i64> {
    let found = compared(&[(0, one.to_vec()), (0, two.to_vec())], end);
    assert_eq!(found.doubts, Vec::<String>::new());
    let turned = compared(&[(0, two.to_vec()), (0, one.to_vec())], end);
    assert_eq!((found.compared, found.differing), (turned.compared, turned.differing));
    assert!(found.differing <= found.compared);
    let offsets: Vec<i64> = found.examples.iter().map(|d| d.offset).collect();
    assert_eq!(offsets.len() as u64, found.differing);
    offsets
}

#[test]
fn a_newest_value_that_stands_nowhere_else_is_a_difference() {
    let all = [put(0, 7), put(1, 8), put(2, 7)];
    assert_eq!(differ(&all, &[put(1, 8), put(2, 7)], 3), NONE, "what is outdated may go");
    assert_eq!(differ(&all, &[put(0, 7), put(1, 8)], 3), [2], "an old value comes back");
    assert_eq!(differ(&all, &[put(2, 7)], 3), [1], "a key is gone");
    assert_eq!(differ(&all, &[], 3), [1, 2]);
}

#[test]
fn a_deleted_key_that_comes_back_is_a_difference() {
    let all = [put(0, 7), delete(1, 7), put(2, 8)];
    assert_eq!(differ(&all, &all[1..], 3), NONE);
    assert_eq!(differ(&all, &all[2..], 3), NONE, "the tombstone goes after all that it deleted");
    assert_eq!(differ(&all, &[put(0, 7), put(2, 8)], 3), [1], "it went before that");
    assert_eq!(differ(&all[2..], &[put(0, 7), put(2, 8)], 3), [0], "and is nowhere any more");
}

#[test]
fn what_lies_beyond_the_range_is_why_something_below_is_gone() {
    let all = [put(0, 7), put(1, 8), put(2, 7), delete(3, 8)];
    assert_eq!(differ(&all, &all[2..], 2), NONE);
    assert_eq!(differ(&all[..2], &all[2..], 2), NONE);
    assert_eq!(differ(&all, &[put(2, 7)], 2), NONE, "the tombstone is gone with what it deleted");
    assert_eq!(differ(&all[..3], &[put(2, 7)], 2), [1]);
}

#[test]
fn an_aborted_record_that_can_be_read_on_one_replica_is_a_difference() {
    let all = [put(0, 7), of(1, put(1, 7)), end(2, false), put(3, 8)];
    let clean = [put(0, 7), put(3, 8)];
    assert_eq!(differ(&all, &clean, 4), NONE);
    assert_eq!(differ(&all, &[put(0, 7), end(2, false), put(3, 8)], 4), NONE);
    let without_end = [put(0, 7), of(1, put(1, 7)), put(3, 8)];
    assert_eq!(differ(&all, &without_end, 4), [2]);
    assert_eq!(differ(&clean, &without_end, 4), [1]);
    let committed = [put(0, 7), of(1, put(1, 7)), end(2, true), put(3, 8)];
    assert_eq!(differ(&all, &committed, 4), [2]);
    let plain = [put(0, 7), put(1, 7), end(2, false), put(3, 8)];
    assert_eq!(differ(&all, &plain, 4), [1], "no part of the transaction any more");
    assert_eq!(differ(&clean, &plain, 4), [1]);
}

#[test]
fn an_aborted_record_replaces_none() {
    let all = [put(0, 7), of(1, put(1, 7)), end(2, false)];
    assert_eq!(differ(&all, &all[1..], 3), [0]);
    let all = [put(0, 7), of(1, put(1, 7)), end(2, true)];
    assert_eq!(differ(&all, &all[1..], 3), NONE);
}

#[test]
fn below_a_replicas_start_nothing_is_missing() {
    let all = vec![put(0, 7), put(1, 8), put(2, 9)];
    let found = compared(&[(0, all.clone()), (2, vec![put(2, 9)])], 3);
    assert_eq!((found.compared, found.differing), (1, 0));
    let found = compared(&[(0, all), (1, vec![put(2, 9)])], 3);
    assert_eq!((found.compared, found.differing), (2, 1));
}

#[test]
fn a_damaged_record_is_one_difference() {
    let dir = |bytes: &[u8]| log(bytes);
    let whole: Vec<u8> = [put(0, 7), put(1, 8)]
        .iter()
        .flat_map(|r| encoded(&[r.record()], Compression::None))
        .collect();
    let rest = encoded(&[put(1, 8).record()], Compression::None);
    let mut bad = whole.clone();
    bad[65] ^= 1;
    for other in [&whole, &rest] {
        let ((one, _a), (two, _b)) = (dir(&bad), dir(other));
        let replicas = vec![
            Replica { broker: 1, start: 0, log: one },
            Replica { broker: 2, start: 0, log: two },
        ];
        let found = compare(replicas, 0..2, true, &|_| String::new());
        assert_eq!((found.compared, found.differing), (2, 1), "{found:?}");
    }
}

#[test]
fn more_keys_than_are_kept_are_a_doubt() {
    for most in 0..3 {
        let mut keys = Keys::new(9, vec![(1, 0), (2, 0)]);
        keys.most = most;
        for offset in 0..2 {
            let mut entry = Entry {
                offset,
                control: false,
                leader_epoch: None,
                time_ms: 0,
                key: Some(Bytes::from(vec![offset as u8])),
                value: Some(Bytes::new()),
                headers: 0,
                header_values: Vec::new(),
                producer: None,
            };
            entry.producer = (offset == 0).then_some(5);
            keys.take(offset, &[Has::Record(entry), Has::Nothing], true);
        }
        let mut out = Comparison::default();
        keys.judge(&mut out);
        assert_eq!((out.differing, out.doubts.len()), if most < 2 { (0, 1) } else { (2, 0) });
    }
}

/// A log without any compaction: operations of two transactional producers and a plain one.
fn truth(ops: &[(u8, u8, u8)]) -> Recs {
    let each = ops.iter().zip(0_i64..).map(|(&(kind, key, producer), offset)| {
        let producer = [None, Some(1), Some(2)][usize::from(producer % 3)];
        let what = match (kind, producer) {
            (0..5, _) => What::Put(key, offset as u8),
            (5..7, _) | (_, None) => What::Delete(key),
            (7..9, _) => What::End(true),
            _ => What::End(false),
        };
        Rec { offset, producer, what, kept: false }
    });
    each.collect()
}

/// Which records committed readers see, by the ends of transactions that stand in the log.
fn visible(recs: &[Rec]) -> BTreeMap<i64, Option<bool>> {
    let mut seen: BTreeMap<i64, Option<bool>> = BTreeMap::new();
    for (at, rec) in recs.iter().enumerate() {
        let ends = recs[at..].iter().find_map(|later| match later.what {
            What::End(commit) if later.producer == rec.producer => Some(commit),
            _ => None,
        });
        seen.insert(rec.offset, if rec.producer.is_none() { Some(true) } else { ends });
    }
    seen
}

/// One pass of the cleaner over what lies below an offset, as Kafka's own: what is kept once goes in
/// a later pass, if `late`.
fn clean(recs: &mut Recs, below: i64, late: bool) {
    let open = visible(recs).into_iter().find(|(_, ends)| ends.is_none()).map(|(offset, _)| offset);
    let mut whole = below.min(open.unwrap_or(i64::MAX));
    // Only whole transactions are cleaned: leaving one out may cut off the end of another.
    let (dirty, ends) = loop {
        let dirty: Recs = recs.iter().filter(|r| r.offset < whole).cloned().collect();
        let ends = visible(&dirty);
        match ends.iter().find(|(_, end)| end.is_none()) {
            Some((offset, _)) => whole = *offset,
            None => break (dirty, ends),
        }
    };
    let mut newest = BTreeMap::new();
    for rec in dirty.iter().filter(|r| ends[&r.offset] == Some(true)) {
        rec.key().map(|key| newest.insert(key, rec.offset));
    }
    let mut had: BTreeSet<Option<i64>> = BTreeSet::new();
    recs.retain_mut(|rec| {
        if rec.offset >= whole {
            return true;
        }
        let again = rec.kept && late;
        match rec.what {
            What::End(_) if had.remove(&rec.producer) => true,
            What::End(_) | What::Delete(_)
                if rec.key().is_none_or(|key| newest.get(&key) == Some(&rec.offset)) =>
            {
                had.extend((!matches!(rec.what, What::End(_))).then_some(rec.producer));
                rec.kept = true;
                !again
            }
            _ => {
                had.insert(rec.producer);
                rec.key().is_some_and(|key| newest.get(&key) == Some(&rec.offset))
            }
        }
    });
}

/// Replicas of one log, each compacted at its own time; the first may have been away, and got the rest
/// from what another one still had.
fn replicas(ops: &[(u8, u8, u8)], away: Option<i64>, passes: &[(usize, i64)]) -> Vec<Recs> {
    let truth = truth(ops);
    let mut all = vec![truth.clone(); 3];
    if let Some(from) = away {
        let mut leader = truth.clone();
        clean(&mut leader, truth.len() as i64, false);
        all[0] = truth.into_iter().filter(|r| r.offset < from).collect();
        all[0].extend(leader.iter().filter(|r| r.offset >= from).cloned());
        all[1] = leader;
    }
    for (replica, below) in passes {
        clean(&mut all[*replica], *below, true);
    }
    all
}

fn found(all: &[Recs], end: i64) -> Comparison {
    let logs: Vec<_> = all.iter().map(|recs| (0, recs.clone())).collect();
    compared(&logs, end)
}

/// What may be done to the first replica, so that it differs in one place.
fn damages(all: &[Recs], truth: &[Rec]) -> Vec<Recs> {
    let mut damaged = Vec::new();
    let sees = visible(truth);
    let mine = &all[0];
    let there = |rec: &Rec| all[1..].iter().any(|o| o.iter().any(|r| r.offset == rec.offset));
    let newest = |rec: &Rec| {
        let later = |r: &&Rec| r.key() == rec.key() && sees[&r.offset] == Some(true);
        truth.iter().rfind(later).is_some_and(|r| r.offset == rec.offset)
    };
    for (at, rec) in mine.iter().enumerate().filter(|(_, rec)| there(rec)) {
        let mut without = mine.clone();
        without.remove(at);
        let dirty = mine[..at].iter().any(|r| r.producer == rec.producer && r.key().is_some());
        match rec.what {
            What::Put(key, value) => {
                let mut other = mine.clone();
                other[at].what = What::Put(key, value.wrapping_add(1));
                damaged.push(other);
                if sees[&rec.offset].is_none() || newest(rec) {
                    damaged.push(without);
                }
            }
            What::Delete(key) => {
                let old = |r: &Rec| r.key() == Some(key) && sees[&r.offset] == Some(true);
                if newest(rec) && mine[..at].iter().any(old) {
                    damaged.push(without);
                }
            }
            What::End(commit) => {
                let mut other = mine.clone();
                other[at].what = What::End(!commit);
                damaged.push(other);
                let since = mine[..at]
                    .iter()
                    .rposition(|r| r.producer == rec.producer && matches!(r.what, What::End(_)));
                let since = since.map_or(0, |at| at + 1);
                if dirty && mine[since..at].iter().any(|r| r.producer == rec.producer) {
                    damaged.push(without);
                }
            }
        }
    }
    // A value that was deleted, and whose tombstone this replica has no more.
    for rec in truth.iter().filter(|r| r.producer.is_none() && matches!(r.what, What::Put(..))) {
        let deleted = truth.iter().rfind(|r| r.key() == rec.key() && sees[&r.offset] == Some(true));
        let gone = mine.iter().all(|r| r.key() != rec.key());
        if gone && deleted.is_some_and(|d| matches!(d.what, What::Delete(_))) {
            let mut back = mine.clone();
            back.push(rec.clone());
            back.sort_by_key(|r| r.offset);
            damaged.push(back);
        }
    }
    damaged
}

fn ops() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0..10_u8, 0..4_u8, 0..3_u8), 1..24)
}

fn passes() -> impl Strategy<Value = Vec<(usize, i64)>> {
    proptest::collection::vec((0..3_usize, 0..26_i64), 0..8)
}

proptest! {
    #[test]
    fn no_compaction_is_a_difference(
        ops in ops(),
        away in proptest::option::of(0..24_i64),
        passes in passes(),
        end in 1..26_i64,
    ) {
        let all = replicas(&ops, away, &passes);
        let found = found(&all, end);
        prop_assert_eq!((found.differing, &found.doubts[..]), (0, &[][..]), "{:?} {:#?}", found, all);
    }

    #[test]
    fn each_damage_is_one_difference(
        ops in ops(),
        away in proptest::option::of(0..24_i64),
        passes in passes(),
        which in any::<proptest::sample::Index>(),
    ) {
        let mut all = replicas(&ops, away, &passes);
        let mut damaged = damages(&all, &truth(&ops));
        if !damaged.is_empty() {
            all[0] = damaged.swap_remove(which.index(damaged.len()));
            let found = found(&all, ops.len() as i64);
            prop_assert_eq!(found.differing, 1, "{:?} {:#?}", found, all);
        }
    }
}
