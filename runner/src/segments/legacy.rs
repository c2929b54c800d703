//! Message formats 0 and 1, which Kafka wrote before 0.11 and which decoders of newer protocols
//! do not read: one message after the other, or one that holds others compressed.

use super::log::{Entry, Item};

/// Checksum, format, attributes.
const HEAD: usize = 6;

/// The messages that one entry of a log file holds. `body` is what follows offset and size.
pub(super) fn items(offset: i64, body: &[u8]) -> Vec<Item> {
    let damaged = |text: &str| vec![Item::Damaged { offset, count: 1, text: text.to_owned() }];
    let Some(head) = body.get(..HEAD) else { return damaged("a message is too short") };
    let stored = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    if stored != crc(&body[4..]) {
        return damaged("a message's checksum is wrong");
    }
    let (format, attributes) = (head[4], head[5]);
    if attributes & 7 != 0 {
        let text = format!("compressed messages of format {format}");
        return vec![Item::Unknown { offset, text }];
    }
    match entry(offset, format, body) {
        Some(entry) => vec![Item::Record(entry)],
        None => damaged("a message does not fit its size"),
    }
}

fn entry(offset: i64, format: u8, body: &[u8]) -> Option<Entry> {
    let mut rest = &body[HEAD..];
    let time_ms = match format {
        0 => -1,
        _ => i64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?),
    };
    let key = field(&mut rest)?;
    let value = field(&mut rest)?;
    let (control, leader_epoch, headers, producer) = (false, None, 0, None);
    let header_values = Vec::new();
    Some(Entry {
        offset,
        control,
        leader_epoch,
        time_ms,
        key,
        value,
        headers,
        header_values,
        producer,
    })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// Bytes with their length before them; −1 is none.
fn field(rest: &mut &[u8]) -> Option<Option<bytes::Bytes>> {
    let length = i32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    if length == -1 {
        return Some(None);
    }
    let bytes = take(rest, usize::try_from(length).ok()?)?;
    Some(Some(bytes::Bytes::copy_from_slice(bytes)))
}

/// The checksum of these formats, CRC-32 of IEEE 802.3, a nibble at a time.
fn crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = table();
    let fold = |crc: u32, byte: &u8| {
        let crc = crc ^ u32::from(*byte);
        let crc = (crc >> 4) ^ TABLE[(crc & 15) as usize];
        (crc >> 4) ^ TABLE[(crc & 15) as usize]
    };
    !bytes.iter().fold(u32::MAX, fold)
}

const fn table() -> [u32; 16] {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        let (mut entry, mut bit) = (i as u32, 0);
        while bit < 4 {
            entry = if entry & 1 == 1 { (entry >> 1) ^ 0xEDB8_8320 } else { entry >> 1 };
            bit += 1;
        }
        table[i] = entry;
        i += 1;
    }
    table
}

/// A message of format 1 as it lies in a file, for tests.
#[cfg(test)]
pub(super) fn message(offset: i64, attributes: u8, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 1, attributes];
    body.extend(7_i64.to_be_bytes());
    body.extend((-1_i32).to_be_bytes());
    body.extend(i32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    body.extend(value);
    let checksum = crc(&body[4..]);
    body[..4].copy_from_slice(&checksum.to_be_bytes());
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend(i32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_everybody_knows() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_message_is_read_and_a_changed_byte_is_seen() {
        let bytes = message(5, 0, b"hello");
        let [Item::Record(entry)] = &items(5, &bytes[12..])[..] else { panic!("a record") };
        assert_eq!((entry.offset, entry.time_ms, entry.key.clone()), (5, 7, None));
        assert_eq!(entry.value.as_deref(), Some(&b"hello"[..]));
        for at in 12..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(matches!(items(5, &bytes[12..])[..], [Item::Damaged { offset: 5, .. }]));
        }
    }

    #[test]
    fn what_is_compressed_is_not_guessed_at() {
        let bytes = message(5, 1, b"zipped");
        assert!(matches!(&items(5, &bytes[12..])[..], [Item::Unknown { .. }]));
        assert!(matches!(&items(5, &[1, 2])[..], [Item::Damaged { .. }]));
    }
}
