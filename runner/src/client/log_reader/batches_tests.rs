use kafka_protocol::records::{Compression, Record};
use proptest::prelude::*;

use super::*;
use crate::segments::testing::{batch, encoded, record};

fn three(compression: Compression) -> Vec<u8> {
    batch(7, 0, &[b"one", b"two", b"three"], compression)
}

fn first(bytes: Vec<u8>) -> Next {
    next(&mut Bytes::from(bytes))
}

fn first_damaged(bytes: Vec<u8>) -> Damaged {
    match first(bytes) {
        Next::Damaged(damaged) => damaged,
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_follow_each_other_and_the_last_may_be_cut_off() {
    let mut bytes = three(Compression::None);
    bytes.extend(batch(10, 0, &[b"four"], Compression::Gzip));
    bytes.extend(&three(Compression::None)[..40]);
    let mut rest = Bytes::from(bytes);
    for (from, to, count) in [(7, 10, 3), (10, 11, 1)] {
        let Next::Good(good) = next(&mut rest) else { panic!("{rest:?}") };
        assert_eq!((good.head.first, good.head.next, good.records.len()), (from, to, count));
    }
    assert!(matches!(next(&mut rest), Next::End));
}

/// For every changed byte of the records, compressed or not, all messages of the batch are reported.
#[test]
fn a_changed_byte_of_the_records_leaves_count_and_offsets_known() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let whole = three(compression);
        for at in RECORDS..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            let damaged = first_damaged(bytes);
            assert_eq!(damaged.offsets, Ok(vec![7, 8, 9]), "byte {at}");
            assert_eq!(damaged.doubt(7, 10), None, "byte {at}");
            assert_eq!(damaged.doubt(8, 10), None, "the log begins inside the batch");
        }
    }
}

/// For every changed bit of the header, the report is right, or states that the messages are not known.
#[test]
fn a_changed_header_is_never_believed_against_what_lies_around_it() {
    let whole = three(Compression::None);
    for bit in 0..RECORDS * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // The checksum alone is wrong, or with it what the bit stands for.
        bytes[CRC] ^= 0x40;
        if let Next::Damaged(damaged) = first(bytes)
            && damaged.doubt(7, 10).is_none()
        {
            assert_eq!(damaged.offsets, Ok(vec![7, 8, 9]), "bit {bit}");
        }
    }
}

#[test]
fn what_does_not_fit_between_its_neighbours_is_doubted() {
    let spoilt = |bytes: &mut Vec<u8>| bytes[CRC] ^= 1;
    let mut bytes = three(Compression::None);
    spoilt(&mut bytes);
    let whole = first_damaged(bytes.clone());
    // In a compacted log there are gaps; then its records have to agree.
    for (position, behind) in [(5, 10), (7, 12)] {
        assert_eq!(whole.doubt(position, behind), None, "{position} {behind}");
    }
    let at = bytes.len() - 10;
    bytes[at] ^= 0xff;
    let torn = first_damaged(bytes);
    for (position, behind) in [(5, 10), (7, 12), (5, 12)] {
        assert_eq!(
            torn.doubt(position, behind).is_none(),
            torn.whole && (position, behind) != (5, 12)
        );
    }
    for (position, behind) in [(5, 12), (10, 11), (7, 9)] {
        assert!(whole.doubt(position, behind).is_some(), "{position} {behind}");
    }
}

#[test]
fn a_compacted_batch_is_known_by_its_records_alone() {
    let mut bytes = batch(7, 0, &[b"a", b"b"], Compression::None);
    // Where the second record has its distance to the first one, in zigzag form.
    let distance = RECORDS + 11;
    assert_eq!(bytes[distance], 2);
    bytes[distance] = 4;
    bytes[LAST_DELTA + 3] = 2;
    bytes[CRC] ^= 1;
    let damaged = first_damaged(bytes.clone());
    assert_eq!(damaged.offsets, Ok(vec![7, 9]));
    bytes[RECORDS] ^= 0x7f;
    assert!(first_damaged(bytes).offsets.is_err(), "the length of a record is wrong");
}

#[test]
fn the_end_of_a_transaction_is_not_counted_as_a_message() {
    let marker = Record {
        transactional: true,
        control: true,
        producer_id: 5,
        key: Some(Bytes::from_static(&[0, 0, 0, 1])),
        value: Some(Bytes::from_static(&[0; 6])),
        ..record(7)
    };
    let mut bytes = encoded(&[marker], Compression::None);
    bytes[CRC] ^= 1;
    assert!(first_damaged(bytes.clone()).offsets.is_err());
    // The bit that says so is the damage.
    bytes[ATTRIBUTES + 1] ^= CONTROL as u8;
    assert!(first_damaged(bytes).offsets.is_err());
}

proptest! {
    #[test]
    fn no_bytes_end_the_process(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        size in 0..300_i32,
        format in 0..4_u8,
    ) {
        let mut bytes = noise;
        if bytes.len() > MAGIC {
            bytes[..8].copy_from_slice(&3_i64.to_be_bytes());
            bytes[8..12].copy_from_slice(&size.to_be_bytes());
            bytes[MAGIC] = format;
        }
        let mut rest = Bytes::from(bytes);
        loop {
            match next(&mut rest) {
                Next::End | Next::Unreadable(_) => break,
                Next::Good(_) => {}
                Next::Damaged(damaged) => drop(damaged.doubt(3, 4)),
            }
        }
    }
}
