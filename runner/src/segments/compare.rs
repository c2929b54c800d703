//! Compares the replicas of one partition, record by record.

use std::ops::Range;

use super::{
    compacted::Keys,
    log::{Entry, Item, Log},
};

/// Differences that are shown.
const SHOWN: usize = 20;

#[derive(Debug)]
pub struct Replica {
    pub broker: u32,
    /// The first offset that its files may hold: retention has removed earlier ones.
    pub start: i64,
    pub log: Log,
}

/// An offset at which replicas differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub offset: i64,
    pub text: String,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Offsets that at least two replicas had to hold.
    pub compared: u64,
    /// Those of them at which not all hold the same.
    pub differing: u64,
    /// The first of these.
    pub examples: Vec<Difference>,
    /// Why not everything could be compared.
    pub doubts: Vec<String>,
}

/// What one replica has at an offset.
#[derive(PartialEq)]
pub(super) enum Has {
    Record(Entry),
    Damaged(String),
    Nothing,
    /// Its log begins above it.
    Expired,
}

/// Compares the offsets of `range`, up to which every replica in sync must hold every record. Where
/// a topic is compacted, each replica is compacted at its own time: a record that one of them no longer has is no
/// difference then, if the replicas mean the same ([`Keys`]). `name` describes a record.
///
/// The epoch of the leader is not compared: it is no part of the record.
pub fn compare(
    mut replicas: Vec<Replica>,
    range: Range<i64>,
    compacted: bool,
    name: &dyn Fn(&Entry) -> String,
) -> Comparison {
    let mut out = Comparison::default();
    let brokers = replicas.iter().map(|r| (r.broker, r.start)).collect();
    let mut keys = compacted.then(|| Keys::new(range.end, brokers));
    let mut heads: Vec<Option<Item>> = replicas.iter_mut().map(|r| next(r, range.start)).collect();
    while let Some(offset) = heads.iter().flatten().map(Item::offset).min() {
        // What lies beyond may be why compaction removed something below.
        let beyond = offset >= range.end;
        if beyond && keys.is_none() {
            break;
        }
        if let Some(text) = unknown(&heads, offset, &replicas) {
            if beyond {
                break;
            }
            out.doubts.push(text);
            return out;
        }
        let has: Vec<Has> = heads
            .iter_mut()
            .zip(&mut replicas)
            .map(|(head, replica)| take(head, replica, offset))
            .collect();
        let alike = beyond || judge(&has, &replicas, offset, compacted, name, &mut out);
        if let Some(keys) = &mut keys {
            keys.take(offset, &has, alike);
        }
    }
    if let Some(keys) = keys {
        keys.judge(&mut out);
    }
    for replica in &replicas {
        if let Some(error) = replica.log.failed() {
            out.doubts
                .push(format!("the log on broker {} cannot be read: {error}", replica.broker));
        }
        if replica.start > range.start {
            out.doubts.push(format!(
                "broker {} keeps the log from offset {} on, the leader from {}",
                replica.broker, replica.start, range.start
            ));
        }
    }
    out
}

fn next(replica: &mut Replica, from: i64) -> Option<Item> {
    replica.log.by_ref().find_map(|item| match item {
        Item::Damaged { offset, count, text } if offset < from => {
            let left = offset.saturating_add(count).saturating_sub(from);
            (left > 0).then_some(Item::Damaged { offset: from, count: left, text })
        }
        item => (item.offset() >= from).then_some(item),
    })
}

fn unknown(heads: &[Option<Item>], offset: i64, replicas: &[Replica]) -> Option<String> {
    heads.iter().zip(replicas).find_map(|(head, replica)| match head {
        Some(Item::Unknown { offset: at, text }) if *at == offset => {
            Some(format!("broker {} holds at offset {offset} {text}", replica.broker))
        }
        _ => None,
    })
}

/// What a replica has at `offset`; its head goes on where it was that.
fn take(head: &mut Option<Item>, replica: &mut Replica, offset: i64) -> Has {
    if head.as_ref().is_none_or(|item| item.offset() != offset) {
        return if offset < replica.start { Has::Expired } else { Has::Nothing };
    }
    match head.take() {
        Some(Item::Record(entry)) => {
            *head = next(replica, offset + 1);
            Has::Record(Entry { leader_epoch: None, ..entry })
        }
        Some(Item::Damaged { count, text, .. }) => {
            *head = if count > 1 {
                let text = text.clone();
                Some(Item::Damaged { offset: offset + 1, count: count - 1, text })
            } else {
                next(replica, offset + 1)
            };
            Has::Damaged(text)
        }
        _ => Has::Nothing,
    }
}

/// Whether all that hold something at an offset hold the same.
fn judge(
    has: &[Has],
    replicas: &[Replica],
    offset: i64,
    compacted: bool,
    name: &dyn Fn(&Entry) -> String,
    out: &mut Comparison,
) -> bool {
    let damaged = has.iter().any(|one| matches!(one, Has::Damaged(_)));
    let counts = |one: &&Has| match one {
        Has::Expired => false,
        // Compaction removes records, and leaves no damaged ones.
        Has::Nothing => !compacted || damaged,
        _ => true,
    };
    let mut held = has.iter().filter(counts);
    let Some(first) = held.next() else { return true };
    let mut others = held.peekable();
    if others.peek().is_none() {
        return true;
    }
    out.compared += 1;
    if !damaged && others.all(|other| other == first) {
        return true;
    }
    let words = || {
        let reported = has.iter().zip(replicas).filter(|(one, _)| counts(one));
        let words: Vec<String> = reported
            .map(|(one, replica)| {
                let what = match one {
                    Has::Record(entry) => name(entry),
                    Has::Damaged(text) => format!("something else ({text})"),
                    Has::Nothing | Has::Expired => "nothing".to_owned(),
                };
                format!("broker {} holds {what}", replica.broker)
            })
            .collect();
        words.join(", ")
    };
    out.differ(offset, words);
    false
}

impl Comparison {
    /// Counts a difference.
    pub(super) fn differ(&mut self, offset: i64, text: impl FnOnce() -> String) {
        self.differing += 1;
        if self.examples.len() < SHOWN {
            self.examples.push(Difference { offset, text: text() });
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;

    use super::{
        super::{
            legacy::message,
            log::testing::{batch, log},
        },
        *,
    };

    fn compared(logs: &[&[u8]], range: Range<i64>, compacted: bool) -> Comparison {
        let logs: Vec<_> = logs.iter().map(|bytes| log(bytes)).collect();
        let (mut replicas, mut dirs) = (Vec::new(), Vec::new());
        for ((log, dir), broker) in logs.into_iter().zip(1..) {
            replicas.push(Replica { broker, start: 0, log });
            dirs.push(dir);
        }
        let name = |e: &Entry| String::from_utf8_lossy(e.value.as_deref().unwrap_or(b"")).into();
        compare(replicas, range, compacted, &name)
    }

    fn plain(offset: i64, values: &[&[u8]]) -> Vec<u8> {
        batch(offset, 3, values, Compression::None)
    }

    #[test]
    fn the_same_records_are_the_same_however_they_are_packed() {
        let one = plain(0, &[b"a", b"b", b"c"]);
        let two = [batch(0, 7, &[b"a", b"b"], Compression::Zstd), plain(2, &[b"c"])].concat();
        let found = compared(&[&one, &two, &one], 0..3, false);
        assert_eq!(found, Comparison { compared: 3, ..Comparison::default() });
    }

    #[test]
    fn another_record_and_a_missing_one_are_counted_and_named() {
        let one = plain(0, &[b"a", b"b", b"c", b"d"]);
        let two = plain(0, &[b"a", b"x", b"c"]);
        let found = compared(&[&one, &two], 0..4, false);
        assert_eq!((found.compared, found.differing), (4, 2));
        let texts: Vec<&str> = found.examples.iter().map(|d| d.text.as_str()).collect();
        assert_eq!(
            texts,
            ["broker 1 holds b, broker 2 holds x", "broker 1 holds d, broker 2 holds nothing"]
        );
        assert!(found.doubts.is_empty());
    }

    #[test]
    fn what_lies_beyond_the_range_is_nobodys_business() {
        let one = plain(0, &[b"a", b"b", b"tail"]);
        let two = plain(0, &[b"z", b"b"]);
        let found = compared(&[&one, &two], 1..2, false);
        assert_eq!(found, Comparison { compared: 1, ..Comparison::default() });
    }

    #[test]
    fn a_damaged_batch_is_a_difference_at_each_of_its_offsets() {
        let one = plain(0, &[b"a", b"b", b"c"]);
        let mut two = one.clone();
        let last = two.len() - 2;
        two[last] ^= 4;
        let found = compared(&[&one, &two], 1..3, false);
        assert_eq!((found.compared, found.differing), (2, 2));
        assert!(found.examples[0].text.contains("broker 2 holds something else"));
    }

    #[test]
    fn compaction_removes_at_its_own_time_and_changes_nothing() {
        let one = [plain(0, &[b"a"]), plain(5, &[b"f"])].concat();
        let two = [plain(0, &[b"a", b"b"]), plain(5, &[b"f"])].concat();
        let found = compared(&[&one, &two], 0..6, true);
        assert_eq!((found.compared, found.differing), (2, 0));
        assert_eq!(compared(&[&one, &two], 0..6, false).differing, 1);
        let other = plain(0, &[b"not a"]);
        assert_eq!(compared(&[&one, &other], 0..6, true).differing, 1);
    }

    #[test]
    fn retention_comes_at_its_own_time_too_and_is_told() {
        let (whole, _a) = log(&plain(0, &[b"a", b"b"]));
        let (late, _b) = log(&plain(1, &[b"b"]));
        let replicas = vec![
            Replica { broker: 1, start: 0, log: whole },
            Replica { broker: 2, start: 1, log: late },
        ];
        let found = compare(replicas, 0..2, false, &|_| String::new());
        assert_eq!((found.compared, found.differing), (1, 0));
        assert!(found.doubts[0].starts_with("broker 2 keeps the log from offset 1 on"));
    }

    #[test]
    fn what_cannot_be_read_ends_the_comparison_with_a_doubt() {
        let zipped = message(0, 1, b"zip");
        let found = compared(&[&zipped, &zipped], 0..1, false);
        assert_eq!(found.compared, 0);
        assert!(found.doubts[0].contains("compressed messages of format 1"), "{found:?}");
        assert_eq!(compared(&[&plain(0, &[b"a"])], 0..1, false).compared, 0, "one alone");
    }
}
