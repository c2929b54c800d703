//! Searches for messages by their identities, anywhere in a log.

use std::ops::Range;

use super::log::{Item, Log};
use crate::identity::{RunIds, payload::Decoded};

/// The messages to search for, of one life of a producer and one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The producer's number.
    pub client: u16,
    pub life: u16,
    /// The partition that it chose.
    pub partition: u32,
    /// Their sequence numbers: ranges that ascend and do not touch.
    pub sequences: Vec<Range<u64>>,
}

impl Wanted {
    fn has(&self, seq: u64) -> bool {
        let after = self.sequences.partition_point(|range| range.start <= seq);
        after > 0 && self.sequences[after - 1].contains(&seq)
    }
}

/// Messages in a row that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The first one's sequence number.
    pub seq: u64,
    pub offset: i64,
    pub count: u64,
}

impl FoundRecord {
    pub fn offset_of(&self, seq: u64) -> Option<i64> {
        let nth = seq.checked_sub(self.seq).filter(|n| *n < self.count)?;
        Some(self.offset + i64::try_from(nth).ok()?)
    }
}

/// What of the wanted messages a log holds, in the order of `wanted`. `run` identifies the run, `topic` the topic's
/// number.
pub fn search(
    log: &mut Log,
    (run, topic): (&RunIds, u16),
    wanted: &[Wanted],
) -> Vec<Vec<FoundRecord>> {
    let mut found: Vec<Vec<FoundRecord>> = vec![Vec::new(); wanted.len()];
    for item in log {
        let Item::Record(entry) = item else { continue };
        // Without a partition: the client chose the one that the log is of.
        let (sender, partition, seq) = match entry.parts().decode(run) {
            Decoded::Identity(id) => ((id.client, id.life), Some(id.partition), id.seq),
            Decoded::Text(id) if id.topic == topic => {
                ((id.client, id.life), Some(id.partition), id.seq)
            }
            Decoded::Numbered(id) => ((id.client, id.life), None, id.seq),
            _ => continue,
        };
        let has = |w: &Wanted| {
            (w.client, w.life) == sender
                && partition.is_none_or(|own| own == w.partition)
                && w.has(seq)
        };
        let Some(at) = wanted.iter().position(has) else { continue };
        match found[at].last_mut() {
            Some(last)
                if last.seq + last.count == seq
                    && last.offset.saturating_add_unsigned(last.count) == entry.offset =>
            {
                last.count += 1;
            }
            _ => found[at].push(FoundRecord { seq, offset: entry.offset, count: 1 }),
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]
mod tests {
    use kafka_protocol::records::Compression;

    use super::{
        super::log::testing::{batch, log},
        *,
    };
    use crate::identity::payload::{Identity, encode};

    fn run(hash: u64) -> RunIds {
        let mut ids = RunIds::of("r", std::path::Path::new("/nowhere"));
        ids.hash = hash;
        ids
    }

    fn message(client: u16, seq: u64) -> Vec<u8> {
        let mut value = vec![0; 60];
        let identity =
            Identity { run: 9, client, life: 1, partition: 0, seq, intended_us: 0, flags: 0 };
        encode(&identity, &mut value);
        value
    }

    fn bytes() -> Vec<u8> {
        let all: Vec<Vec<u8>> = (0..6).map(|seq| message(1, seq)).collect();
        let values: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        let mut bytes = batch(100, 0, &values, Compression::Gzip);
        bytes.extend(batch(
            106,
            0,
            &[&message(2, 4), b"foreign", &message(1, 9)],
            Compression::None,
        ));
        bytes
    }

    #[test]
    fn only_what_is_wanted_is_found_and_neighbours_are_one() {
        let (mut log, _dir) = log(&bytes());
        let wanted = |client, sequences| Wanted { client, life: 1, partition: 0, sequences };
        let all = [wanted(1, vec![1..3, 5..20]), wanted(2, vec![0..4]), wanted(3, vec![0..99])];
        let found = search(&mut log, (&run(9), 0), &all);
        let expected = [
            FoundRecord { seq: 1, offset: 101, count: 2 },
            FoundRecord { seq: 5, offset: 105, count: 1 },
            FoundRecord { seq: 9, offset: 108, count: 1 },
        ];
        assert_eq!(found, [expected.to_vec(), vec![], vec![]]);
        assert_eq!(found[0][0].offset_of(2), Some(102));
        assert_eq!((found[0][0].offset_of(3), found[0][0].offset_of(0)), (None, None));
    }

    #[test]
    fn another_runs_messages_are_not_ours() {
        let (mut log, _dir) = log(&bytes());
        let wanted = [Wanted { client: 1, life: 1, partition: 0, sequences: vec![0..99] }];
        assert_eq!(search(&mut log, (&run(8), 0), &wanted), [vec![]]);
    }
}
