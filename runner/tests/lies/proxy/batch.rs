//! Record batches of message format 2, as bytes: what a lie changes is changed in place, and nothing
//! else.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::records::RecordBatchDecoder;

/// Offsets of the fields in a batch's header.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_DELTA: usize = 23;
const PRODUCER_ID: usize = 43;
const RECORDS: usize = 61;

const COMPRESSION: i16 = 0x07;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// What becomes of a batch's checksum when a byte is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is made right again.
    Right,
    /// It stays, and is wrong.
    Wrong,
}

/// A record, for the one who wants to know which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its offset.
    pub offset: i64,
    /// Its value.
    pub value: Option<Bytes>,
}

/// One batch.
#[derive(Clone, Debug)]
pub struct Batch(BytesMut);

impl Batch {
    /// The whole batches, and what follows them: the beginning of one more, or an older format.
    pub fn split(records: &Bytes) -> (Vec<Self>, Bytes) {
        let mut rest = records.clone();
        let mut batches = Vec::new();
        while rest.len() >= RECORDS && rest[MAGIC] == 2 {
            let length = usize::try_from((&rest[LENGTH..]).get_i32()).unwrap_or(usize::MAX);
            let Some(end) = length.checked_add(LENGTH + 4).filter(|end| *end <= rest.len()) else {
                break;
            };
            if end < RECORDS {
                break;
            }
            batches.push(Self(BytesMut::from(&rest.split_to(end)[..])));
        }
        (batches, rest)
    }

    /// Batches one after the other, and what follows them.
    pub fn join(batches: &[Self], rest: &[u8]) -> Bytes {
        let mut all = BytesMut::new();
        batches.iter().for_each(|batch| all.extend_from_slice(&batch.0));
        all.extend_from_slice(rest);
        all.freeze()
    }

    /// The first record's offset.
    pub fn first_offset(&self) -> i64 {
        (&self.0[..]).get_i64()
    }

    /// The last record's offset.
    pub fn last_offset(&self) -> i64 {
        self.first_offset() + i64::from((&self.0[LAST_DELTA..]).get_i32())
    }

    /// Moves every offset; the checksum does not cover them.
    pub fn move_by(&mut self, by: i64) {
        let moved = self.first_offset() + by;
        self.0[..8].copy_from_slice(&moved.to_be_bytes());
    }

    /// The producer's id; negative for a plain producer.
    pub fn producer_id(&self) -> i64 {
        (&self.0[PRODUCER_ID..]).get_i64()
    }

    fn attributes(&self) -> i16 {
        (&self.0[ATTRIBUTES..]).get_i16()
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL != 0
    }

    /// Whether it ends a transaction and holds no message.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    /// Its records; none if they cannot be read.
    pub fn records(&self) -> Vec<Told> {
        let set = RecordBatchDecoder::decode(&mut self.0.clone().freeze());
        let records = set.map(|set| set.records).unwrap_or_default();
        records.into_iter().map(|r| Told { offset: r.offset, value: r.value }).collect()
    }

    /// Changes the last byte of the last record's value. False if there is none, or the records are
    /// compressed: what a changed byte does then is not known.
    pub fn change(&mut self, checksum: Checksum) -> bool {
        let plain = self.attributes() & COMPRESSION == 0;
        let Some(at) = plain.then(|| last_value_byte(&self.0[RECORDS..])).flatten() else {
            return false;
        };
        self.0[RECORDS + at] ^= 0x20;
        if checksum == Checksum::Right {
            let crc = crc32c::crc32c(&self.0[ATTRIBUTES..]);
            self.0[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
        }
        true
    }
}

/// Where the last record's value ends.
fn last_value_byte(records: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut found = None;
    while at < records.len() {
        let length = usize::try_from(varint(records, &mut at)?).ok()?;
        let end = at.checked_add(length)?;
        // The attributes.
        let mut inside = at + 1;
        let _time = varint(records, &mut inside)?;
        let _offset = varint(records, &mut inside)?;
        let key = varint(records, &mut inside)?;
        inside += usize::try_from(key).unwrap_or(0);
        let value = usize::try_from(varint(records, &mut inside)?).unwrap_or(0);
        found = (value > 0 && inside + value <= end).then_some(inside + value - 1);
        at = end;
    }
    found.filter(|at| *at < records.len())
}

/// A number of variable length in zigzag form.
fn varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}
