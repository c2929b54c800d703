//! One partition's log on one broker's disk, read from its segment files.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
};

use bytes::Bytes;
use kafka_protocol::records::{Record, RecordBatchDecoder};

use super::legacy;
use crate::identity::MessageParts;

/// Offset and size, before every batch (and every message of the old formats).
const PREFIX: usize = 12;
/// Within what follows: where every format has its number.
const MAGIC: usize = 4;
/// A size above this is not plausible: brokers accept 1 MiB unless they are configured otherwise.
const LARGEST: usize = 128 << 20;
/// The most offsets of a damaged batch that are believed.
const BATCH: i64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub offset: i64,
    /// A marker of Kafka's own: the end of a transaction.
    pub control: bool,
    /// The leader's epoch when it was appended; none in the old formats.
    pub leader_epoch: Option<i32>,
    pub time_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// A checksum of its headers, 0 without any.
    pub headers: u32,
    /// The values of its headers.
    pub header_values: Vec<Bytes>,
    /// The id of the producer, of a record that belongs to a transaction or ends one.
    pub producer: Option<i64>,
}

impl Entry {
    /// The parts in which its identity may stand.
    pub fn parts(&self) -> MessageParts<'_, impl Iterator<Item = &[u8]>> {
        let headers = self.header_values.iter().map(|value| &**value);
        MessageParts { key: self.key.as_deref(), value: self.value.as_deref(), headers }
    }
}

/// What stands at a place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Record(Entry),
    /// Offsets that cannot be read, because their bytes are not what was written.
    Damaged {
        /// The first of them.
        offset: i64,
        /// How many, as far as that is known.
        count: i64,
        text: String,
    },
    /// Something that kplan cannot read, but a broker can.
    Unknown {
        offset: i64,
        text: String,
    },
}

impl Item {
    /// The first offset that it is about.
    pub fn offset(&self) -> i64 {
        match self {
            Self::Record(entry) => entry.offset,
            Self::Damaged { offset, .. } | Self::Unknown { offset, .. } => *offset,
        }
    }
}

/// The records of a partition's segment files, in the order of their offsets. Holds one batch at a
/// time, however long the log is.
#[derive(Debug, Default)]
pub struct Log {
    files: VecDeque<PathBuf>,
    open: Option<BufReader<File>>,
    ready: VecDeque<Item>,
    failed: Option<io::Error>,
}

impl Log {
    /// A log of these files, whose names are those that brokers give: the first offset in each.
    pub fn new(mut files: Vec<PathBuf>) -> Self {
        files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
        Self { files: files.into(), ..Self::default() }
    }

    /// Why the reading ended before the end of the files, if it did.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Reads the next batch; false at the end of the last file.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            let Some(file) = &mut self.open else {
                let Some(path) = self.files.pop_front() else { return Ok(false) };
                self.open = Some(BufReader::with_capacity(1 << 18, File::open(path)?));
                continue;
            };
            match batch(file)? {
                Some((offset, body)) => {
                    self.ready.extend(items(offset, body));
                    return Ok(true);
                }
                None => self.open = None,
            }
        }
    }
}

impl Iterator for Log {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.ready.is_empty() && self.failed.is_none() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => self.failed = Some(error),
            }
        }
        self.ready.pop_front()
    }
}

/// Offset and body of the next batch. None at the end of a file, which may be torn: the process was
/// killed while it wrote, or wrote while it was read; or reserved, which is filled with zeros.
fn batch(file: &mut impl Read) -> io::Result<Option<(i64, Vec<u8>)>> {
    let mut prefix = [0; PREFIX];
    if !filled(file, &mut prefix)? {
        return Ok(None);
    }
    let [o0, o1, o2, o3, o4, o5, o6, o7, s0, s1, s2, s3] = prefix;
    let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
    let size = usize::try_from(i32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
    if size <= MAGIC || size > LARGEST {
        return Ok(None);
    }
    let mut body = vec![0; size];
    Ok(filled(file, &mut body)?.then_some((offset, body)))
}

/// Whether there were as many bytes.
fn filled(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The records of a batch, whose offset and size were before `body`. Empty for a batch that is too short.
pub(crate) fn items(offset: i64, body: Vec<u8>) -> Vec<Item> {
    match body.get(MAGIC).copied() {
        Some(0 | 1) => legacy::items(offset, &body),
        Some(2) => decoded(offset, body),
        None => Vec::new(),
        Some(format) => {
            vec![Item::Unknown { offset, text: format!("a batch of the unknown format {format}") }]
        }
    }
}

/// Format 2, by the protocol's own decoder, which checks the checksum.
fn decoded(offset: i64, body: Vec<u8>) -> Vec<Item> {
    let count = last_delta(&body).map_or(1, |delta| delta + 1);
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(body);
    match RecordBatchDecoder::decode(&mut Bytes::from(bytes)) {
        Ok(set) => set.records.into_iter().map(|r| Item::Record(entry(r))).collect(),
        Err(error) => {
            let text = format!("a batch cannot be read: {error}");
            vec![Item::Damaged { offset, count, text }]
        }
    }
}

/// The difference of last and first offset, if it can be true.
fn last_delta(body: &[u8]) -> Option<i64> {
    // After epoch, format, checksum and attributes.
    let bytes = body.get(11..15)?.try_into().ok()?;
    Some(i64::from(i32::from_be_bytes(bytes))).filter(|delta| (0..BATCH).contains(delta))
}

fn entry(record: Record) -> Entry {
    let mut headers = 0;
    for (name, value) in &record.headers {
        headers = crc32c::crc32c_append(headers, name.as_bytes());
        let length = value.as_ref().map_or(u64::MAX, |v| v.len() as u64);
        headers = crc32c::crc32c_append(headers, &length.to_le_bytes());
        headers = crc32c::crc32c_append(headers, value.as_deref().unwrap_or_default());
    }
    Entry {
        offset: record.offset,
        control: record.control,
        leader_epoch: Some(record.partition_leader_epoch),
        time_ms: record.timestamp,
        key: record.key,
        value: record.value,
        headers,
        header_values: record.headers.into_values().flatten().collect(),
        producer: record.transactional.then_some(record.producer_id),
    }
}

/// Batches of format 2 as brokers write them, for tests.
#[cfg(test)]
pub(crate) mod testing {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::records::{
        Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };

    /// A record of no producer that is known, without key and value.
    pub fn record(offset: i64) -> Record {
        Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 3,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: -1,
            timestamp: 1_000,
            key: None,
            value: None,
            headers: indexmap::IndexMap::new(),
        }
    }

    /// A batch of records with these values, from an offset on.
    pub fn batch(offset: i64, epoch: i32, values: &[&[u8]], compression: Compression) -> Vec<u8> {
        let record = |(i, value): (usize, &&[u8])| Record {
            partition_leader_epoch: epoch,
            sequence: i as i32 - 1,
            value: Some(Bytes::copy_from_slice(value)),
            ..record(offset + i as i64)
        };
        let records: Vec<Record> = values.iter().enumerate().map(record).collect();
        encoded(&records, compression)
    }

    /// These records as they lie in a file.
    pub fn encoded(records: &[Record], compression: Compression) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        RecordBatchEncoder::encode(&mut bytes, records, &options).expect("plain records");
        bytes.to_vec()
    }

    /// A log of one file with these bytes, in its directory.
    pub fn log(bytes: &[u8]) -> (super::Log, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("00000000000000000000.log");
        std::fs::write(&path, bytes).expect("a file");
        (super::Log::new(vec![path]), dir)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;

    use super::{
        super::legacy::message,
        testing::{batch, log},
        *,
    };

    fn values(log: &mut Log) -> Vec<(i64, Vec<u8>)> {
        let values = log.map(|item| match item {
            Item::Record(e) => (e.offset, e.value.unwrap_or_default().to_vec()),
            other => panic!("{other:?}"),
        });
        values.collect()
    }

    #[test]
    fn batches_of_every_format_and_compression() {
        let mut bytes = message(0, 0, b"old");
        bytes.extend(batch(1, 3, &[b"a", b"b"], Compression::None));
        let kinds = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        for (i, kind) in (3..).zip(kinds) {
            bytes.extend(batch(i, 3, &[b"packed"], kind));
        }
        let (mut log, _dir) = log(&bytes);
        let values = values(&mut log);
        assert_eq!(values[..3], [(0, b"old".into()), (1, b"a".into()), (2, b"b".into())]);
        assert_eq!(values[3..].iter().map(|v| v.0).collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!(values[3..].iter().all(|v| v.1 == b"packed"));
        assert!(log.failed().is_none());
    }

    #[test]
    fn segments_follow_each_other_by_their_names() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str, offset| {
            let path = dir.path().join(name);
            std::fs::write(&path, batch(offset, 0, &[b"x"], Compression::None)).expect("a file");
            path
        };
        let late = file("00000000000000000090.log", 90);
        let early = file("00000000000000000007.log", 7);
        let offsets: Vec<i64> =
            values(&mut Log::new(vec![late, early])).iter().map(|v| v.0).collect();
        assert_eq!(offsets, [7, 90]);
    }

    #[test]
    fn a_torn_or_reserved_end_is_an_end() {
        let whole = batch(0, 0, &[b"whole"], Compression::None);
        let torn = batch(1, 0, &[b"torn"], Compression::None);
        for cut in 0..torn.len() {
            let (mut log, _dir) = log(&[&whole[..], &torn[..cut]].concat());
            assert_eq!(values(&mut log).len(), 1, "cut at {cut}");
        }
        let (mut reserved, _dir) = log(&[&whole[..], &[0; 500]].concat());
        assert_eq!(values(&mut reserved).len(), 1);
    }

    #[test]
    fn a_changed_byte_damages_its_batch_and_no_other() {
        let mut bytes = batch(0, 0, &[b"a", b"b"], Compression::None);
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
        bytes.extend(batch(2, 0, &[b"c"], Compression::None));
        let (log, _dir) = log(&bytes);
        let items: Vec<Item> = log.collect();
        assert!(matches!(items[0], Item::Damaged { offset: 0, count: 2, .. }), "{items:?}");
        assert!(matches!(&items[1..], [Item::Record(e)] if e.offset == 2), "{items:?}");
    }

    #[test]
    fn garbage_never_panics_and_a_missing_file_is_told() {
        for seed in 0..200_u64 {
            let byte =
                |i: u64| (seed.wrapping_mul(0x9E37_79B9).wrapping_add(i * i * 31) >> 3) as u8;
            let mut bytes: Vec<u8> = (0..300).map(byte).collect();
            bytes[8..12].copy_from_slice(&100_u32.to_be_bytes());
            bytes[16] = (seed % 4) as u8;
            let (log, _dir) = log(&bytes);
            assert!(log.count() < 100);
        }
        let mut gone = Log::new(vec!["/nowhere/00000000000000000000.log".into()]);
        assert_eq!(gone.next(), None);
        assert!(gone.failed().is_some());
    }
}
