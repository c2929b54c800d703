//! The record batches of an answer to Fetch, one after the other, whether their checksums are right or not.
//!
//! The content of a batch with a wrong checksum is only believed if something else confirms it: the number of
//! messages that it claims must agree with the batches before and behind it, which have their own
//! checksums.

use bytes::{Buf as _, Bytes};

use crate::segments::{Entry, Item, items};

/// Offset and size, before every batch (and every message of the old formats).
const PREFIX: usize = 12;
/// Where the numbers of a batch of format 2 stand.
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_DELTA: usize = 23;
const PRODUCER: usize = 43;
const COUNT: usize = 57;
const RECORDS: usize = 61;
const COMPRESSION: i16 = 0x07;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
/// The highest compression type.
const COMPRESSIONS: i16 = 4;
/// The most offsets of one batch that are believed.
const MOST: i64 = 1 << 24;
/// The shortest message of an old format: checksum, format, attributes, lengths of key and value.
const SHORTEST: usize = 14;

/// What comes next in an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// A batch whose checksum is right.
    Good(Good),
    /// A batch whose checksum is wrong.
    Damaged(Damaged),
    /// Data of a broker that cannot be read: the reason.
    Unreadable(String),
    /// Nothing more, or the beginning of a batch that is cut off.
    End,
}

/// What is known about a batch's records without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first: i64,
    /// The offset behind its last one.
    pub(super) next: i64,
    /// The producer, if it belongs to a transaction.
    pub(super) producer: Option<i64>,
}

/// A batch whose checksum is right.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) head: Head,
    pub(super) records: Vec<Entry>,
}

/// A batch whose checksum is wrong.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) head: Head,
    /// The offsets of its messages, or why they are not known.
    pub(super) offsets: Result<Vec<i64>, String>,
    /// Its records have the form that they should have and agree with its numbers.
    pub(super) whole: bool,
}

impl Damaged {
    /// Why the offsets of its messages are not known, given the reader's `position` and what comes
    /// behind the batch: the first offset of the next batch, or the end of the log.
    pub(super) fn doubt(&self, position: i64, behind: i64) -> Option<String> {
        if let Err(why) = &self.offsets {
            return Some(why.clone());
        }
        let Head { first, next, .. } = self.head;
        if next <= position || behind < next {
            return Some(format!("it claims the offsets {first} to {}, which is wrong", next - 1));
        }
        // A reader may begin inside a batch. A compacted log has gaps: then one matching side is enough.
        let (begins, ends) = (first == position, next == behind);
        let agreed = (first <= position && ends) || ((begins || ends) && self.whole);
        let words = || {
            format!(
                "it claims the offsets {first} to {}, but lies between {position} and {}",
                next - 1,
                behind - 1
            )
        };
        (!agreed).then(words)
    }
}

/// The offset with which the next batch begins, also of one that is cut off.
pub(super) fn offset(rest: &[u8]) -> Option<i64> {
    rest.first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
}

/// Takes the next batch off the front.
pub(super) fn next(rest: &mut Bytes) -> Next {
    if rest.len() <= MAGIC {
        return Next::End;
    }
    let offset = i64_at(rest, 0);
    let claimed = i32_at(rest, PREFIX - 4);
    let format = rest[MAGIC];
    let least = if format == 2 { RECORDS - PREFIX } else { SHORTEST };
    let Some(size) = usize::try_from(claimed).ok().filter(|size| *size >= least) else {
        return Next::Unreadable(format!("a batch claims to be {claimed} bytes long"));
    };
    if format > 2 {
        return Next::Unreadable(format!("a batch claims to be of format {format}"));
    }
    if rest.len() - PREFIX < size {
        return Next::End;
    }
    let batch = rest.split_to(PREFIX + size);
    if !(0..i64::MAX - MOST).contains(&offset) {
        return Next::Unreadable(format!("a batch claims that its first offset is {offset}"));
    }
    match format {
        2 => newer(offset, &batch),
        _ => older(offset, &batch),
    }
}

fn newer(first: i64, batch: &Bytes) -> Next {
    let attributes = (&batch[ATTRIBUTES..]).get_i16();
    let delta = i64::from(i32_at(batch, LAST_DELTA));
    let count = i64::from(i32_at(batch, COUNT));
    let producer = (attributes & TRANSACTIONAL != 0).then(|| i64_at(batch, PRODUCER));
    let head = Head { first, next: first.saturating_add(delta).saturating_add(1), producer };
    let credible = (0..MOST).contains(&delta) && (0..=delta + 1).contains(&count);
    if crc32c::crc32c(&batch[ATTRIBUTES..]) != (&batch[CRC..]).get_u32() {
        return Next::Damaged(damaged(
            head,
            attributes,
            credible.then_some(count),
            &batch[RECORDS..],
        ));
    }
    if !credible {
        let words = format!("the batch at offset {first} claims to hold {count} messages");
        return Next::Unreadable(words);
    }
    good(head, items(first, batch[PREFIX..].to_vec()))
}

fn good(head: Head, items: Vec<Item>) -> Next {
    let mut records = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Record(entry) => records.push(entry),
            Item::Damaged { offset, text, .. } | Item::Unknown { offset, text } => {
                return Next::Unreadable(format!("at offset {offset}: {text}"));
            }
        }
    }
    Next::Good(Good { head, records })
}

/// A message of format 0 or 1.
fn older(offset: i64, batch: &Bytes) -> Next {
    let head = Head { first: offset, next: offset + 1, producer: None };
    match items(offset, batch[PREFIX..].to_vec()).pop() {
        // One that holds others has the offset of the last of them.
        Some(Item::Damaged { .. }) if batch[MAGIC + 1] & 7 == 0 => {
            Next::Damaged(Damaged { head, offsets: Ok(vec![offset]), whole: false })
        }
        item => good(head, item.into_iter().collect()),
    }
}

fn damaged(head: Head, attributes: i16, count: Option<i64>, records: &[u8]) -> Damaged {
    let unknown = |why: &str| Err(why.to_owned());
    let Some(count) = count.filter(|count| *count > 0) else {
        let offsets = unknown("the number of its messages is impossible");
        return Damaged { head, offsets, whole: false };
    };
    let compression = attributes & COMPRESSION;
    let walked = if compression == 0 { walk(records, head.next - head.first) } else { None };
    let walked = walked.filter(|walked| walked.deltas.len() as u64 == count.unsigned_abs());
    let whole = walked.is_some();
    let is_marker = walked.as_ref().is_some_and(|w| w.marker) && head.producer.is_some();
    let offsets = if compression > COMPRESSIONS {
        unknown("its compression type does not exist")
    } else if attributes & CONTROL != 0 || is_marker {
        unknown("it claims to end a transaction, but it is not known how")
    } else if count == head.next - head.first {
        Ok((head.first..head.next).collect())
    } else {
        match walked {
            Some(walked) => Ok(walked.deltas.iter().map(|delta| head.first + delta).collect()),
            None => unknown("it holds fewer messages than offsets, and it is not known which"),
        }
    };
    Damaged { head, offsets, whole }
}

/// The apparent form of records without a valid checksum.
struct Walked {
    /// Their offsets, from the batch's first one.
    deltas: Vec<i64>,
    /// There is one, in the form of the end of a transaction.
    marker: bool,
}

/// Parses the records of a batch with this many offsets; none if they do not have the form of records.
fn walk(records: &[u8], offsets: i64) -> Option<Walked> {
    let mut deltas: Vec<i64> = Vec::new();
    let mut marker = false;
    let mut rest = records;
    while !rest.is_empty() {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let (mut record, behind) = rest.split_at_checked(length)?;
        rest = behind;
        record = record.get(1..)?;
        let _time = varint(&mut record)?;
        let delta = varint(&mut record)?;
        let last = deltas.last().copied().unwrap_or(-1);
        if delta <= last || delta >= offsets {
            return None;
        }
        let key = field(&mut record)?;
        let value = field(&mut record)?;
        for _ in 0..varint(&mut record)? {
            field(&mut record)?;
            field(&mut record)?;
        }
        if !record.is_empty() {
            return None;
        }
        marker = deltas.is_empty() && (key, value) == (Some(4), Some(6));
        deltas.push(delta);
    }
    Some(Walked { deltas, marker })
}

/// Passes over bytes with their length before them; the length, none for a length of −1.
fn field(rest: &mut &[u8]) -> Option<Option<usize>> {
    let length = varint(rest)?;
    if length == -1 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    *rest = rest.get(length..)?;
    Some(Some(length))
}

/// A number of variable length in zigzag form.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    (&bytes[at..]).get_i32()
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    (&bytes[at..]).get_i64()
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
