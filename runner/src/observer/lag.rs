//! How much of a log a group has not read yet: visible data records after its committed offset.
//!
//! A difference of offsets would never reach 0 where transactions are used: their markers hold
//! offsets, too, and librdkafka commits before a marker that ends the log. So record batches are
//! fetched and their headers counted (format 2, KIP-98); nothing is decompressed.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{
    FetchRequest,
    fetch_request::{FetchPartition, FetchTopic},
    fetch_response::PartitionData,
};
use kplan_dsl::value::Isolation;
use serde::{Deserialize, Serialize};

use super::{
    ask::{AskError, Asker, check},
    offsets::{At, name},
};

/// The offsets whose records are counted; of more than these only the number of offsets is known.
const COUNTED: i64 = 100_000;
/// Bytes of one fetch.
const FETCH: i32 = 1 << 20;
/// Length of a batch's header in format 2.
const HEADER: usize = 61;

/// How far a group is behind on one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// The next offset that the group will read; none if it has committed nothing.
    pub committed: Option<i64>,
    /// Where the visible log ends.
    pub end: i64,
    /// Visible data records from `committed` on; none if nothing is committed.
    pub records: Option<Records>,
}

/// How many records there are: exactly known if both numbers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// The records that were counted.
    pub least: u64,
    /// These, and every offset that was not looked at (beyond the first 100,000): a transaction's marker, an aborted
    /// or a compacted record may be at such an offset.
    pub most: u64,
}

impl Records {
    /// A number that is known.
    pub fn exactly(number: u64) -> Self {
        Self { least: number, most: number }
    }
}

impl Asker {
    /// How far `group` is behind on each partition of `topic`.
    pub async fn lag(
        &self,
        group: &str,
        topic: &str,
        isolation: Isolation,
    ) -> Result<BTreeMap<u32, Lag>, AskError> {
        let committed = self.committed(group, topic).await?;
        let at = match isolation {
            Isolation::ReadUncommitted => At::HighWatermark,
            Isolation::ReadCommitted => At::LastStable,
        };
        let keys: Vec<_> = committed.keys().map(|p| (topic.to_owned(), *p)).collect();
        let mut ends = self.offsets(&keys, at).await;
        let mut out = BTreeMap::new();
        for (partition, committed) in committed {
            let key = (topic.to_owned(), partition);
            let end = ends.remove(&key).unwrap_or(Err(AskError::NobodyAnswers))?;
            let records = match committed {
                None => None,
                Some(from) => Some(self.records(topic, partition, from, end, isolation).await?),
            };
            out.insert(partition, Lag { committed, end, records });
        }
        Ok(out)
    }

    /// Visible data records in `[from, end)`.
    async fn records(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        end: i64,
        isolation: Isolation,
    ) -> Result<Records, AskError> {
        let offsets = |from: i64| u64::try_from(end.saturating_sub(from)).unwrap_or(0);
        let counted = end.min(from.saturating_add(COUNTED));
        let mut count = Count::new(from, counted);
        while count.next < counted {
            let fetched = match self.fetch(topic, partition, count.next, isolation).await {
                // Before 0.11 there are no transactions: every offset is a record.
                Err(AskError::Wire { cause, .. }) if cause.is_unsupported() => {
                    return Ok(Records::exactly(offsets(from)));
                }
                fetched => fetched?,
            };
            let aborted = fetched.aborted_transactions.iter().flatten();
            count.aborted(aborted.map(|a| (a.producer_id.0, a.first_offset)));
            let before = count.next;
            let readable = count.batches(fetched.records.unwrap_or_default());
            if !readable {
                return Ok(Records {
                    least: count.records,
                    most: count.records + offsets(count.next),
                });
            }
            if count.next == before {
                // Nothing more is visible although the reported end was later: the log was truncated.
                return Ok(Records::exactly(count.records));
            }
        }
        Ok(Records { least: count.records, most: count.records + offsets(counted) })
    }

    async fn fetch(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        isolation: Isolation,
    ) -> Result<PartitionData, AskError> {
        let view = self.watch.view();
        let leader = view.leader(topic, partition);
        let leader =
            leader.ok_or_else(|| AskError::NoLeader { topic: topic.to_owned(), partition })?;
        let wanted = FetchPartition::default()
            .with_partition(i32::try_from(partition).unwrap_or(i32::MAX))
            .with_fetch_offset(from)
            .with_partition_max_bytes(FETCH);
        let topics =
            vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![wanted])];
        // 11 is the newest that names the topic and needs no session.
        let answer = self
            .call(leader, 11, |_| {
                FetchRequest::default()
                    .with_max_wait_ms(100)
                    .with_min_bytes(1)
                    .with_max_bytes(FETCH)
                    .with_isolation_level(i8::from(isolation == Isolation::ReadCommitted))
                    .with_session_epoch(-1)
                    .with_topics(topics.clone())
            })
            .await?;
        let what = format!("records of {topic}/{partition} from {from}");
        check(answer.error_code, None, &what)?;
        let reported = answer.responses.into_iter().flat_map(|t| t.partitions).next();
        let reported = reported.ok_or_else(|| AskError::Missing(what.clone()))?;
        check(reported.error_code, None, &what)?;
        Ok(reported)
    }
}

/// Counts the records of fetched batches.
struct Count {
    end: i64,
    /// The next offset to fetch.
    next: i64,
    records: u64,
    /// Producers whose transaction from this offset on was aborted; open until its marker.
    aborted: BTreeMap<i64, Vec<i64>>,
}

impl Count {
    fn new(from: i64, end: i64) -> Self {
        Self { end, next: from, records: 0, aborted: BTreeMap::new() }
    }

    /// Aborted transactions (producer, first offset) of a fetch; each fetch lists all that overlap
    /// it.
    fn aborted(&mut self, reported: impl Iterator<Item = (i64, i64)>) {
        self.aborted.clear();
        for (producer, first) in reported {
            self.aborted.entry(producer).or_default().push(first);
        }
    }

    /// Takes whole batches up to the end; false for a format that cannot be counted.
    fn batches(&mut self, mut fetched: Bytes) -> bool {
        while fetched.len() >= HEADER && self.next < self.end {
            if fetched[16] != 2 {
                return false;
            }
            let mut header = fetched.slice(..HEADER);
            let base = header.get_i64();
            let Ok(length) = usize::try_from(header.get_i32()) else { return false };
            header.advance(9);
            let attributes = header.get_i16();
            let last = base.saturating_add(i64::from(header.get_i32()));
            header.advance(16);
            let producer = header.get_i64();
            header.advance(6);
            let count = header.get_i32();
            let whole = length.saturating_add(12);
            if whole > fetched.len() || whole < HEADER || last < base {
                // The fetch ends in the middle of a batch (or in nonsense: nothing is gained).
                return whole >= HEADER && last >= base;
            }
            fetched.advance(whole);
            self.batch(base, last, attributes, producer, i64::from(count));
        }
        true
    }

    fn batch(&mut self, base: i64, last: i64, attributes: i16, producer: i64, count: i64) {
        const TRANSACTIONAL: i16 = 0x10;
        const CONTROL: i16 = 0x20;
        if last < self.next || base >= self.end {
            self.next = self.next.max(last.saturating_add(1)).min(self.end);
            return;
        }
        let hit = |firsts: &Vec<i64>| firsts.iter().any(|first| *first <= last);
        let aborted =
            attributes & TRANSACTIONAL != 0 && self.aborted.get(&producer).is_some_and(hit);
        if attributes & CONTROL != 0 {
            if let (true, Some(firsts)) = (aborted, self.aborted.get_mut(&producer)) {
                // The marker ends the earliest of its producer's aborted transactions.
                firsts.sort_unstable();
                firsts.remove(0);
            }
        } else if !aborted {
            // A commit in the middle of a batch: offsets are dense but for compaction.
            let visible = last.min(self.end - 1) - base.max(self.next) + 1;
            self.records += u64::try_from(visible.min(count)).unwrap_or(0);
        }
        self.next = last.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;

    const DATA: i16 = 0;
    const IN_TRANSACTION: i16 = 0x10;
    const MARKER: i16 = 0x30;

    fn batch(base: i64, count: i32, attributes: i16, producer: i64) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i64(base);
        out.put_i32(49 + 3);
        out.put_i32(0);
        out.put_u8(2);
        out.put_i32(0);
        out.put_i16(attributes);
        out.put_i32(count - 1);
        out.put_i64(0);
        out.put_i64(0);
        out.put_i64(producer);
        out.put_i16(0);
        out.put_i32(0);
        out.put_i32(count);
        out.put_slice(b"...");
        out.freeze()
    }

    fn counted(from: i64, end: i64, aborted: &[(i64, i64)], batches: &[Bytes]) -> (u64, i64) {
        let mut count = Count::new(from, end);
        count.aborted(aborted.iter().copied());
        assert!(count.batches(batches.concat().into()));
        (count.records, count.next)
    }

    #[test]
    fn data_counts_from_the_commit_in_the_middle_of_a_batch() {
        let log = [batch(0, 10, DATA, -1), batch(10, 5, DATA, -1)];
        assert_eq!(counted(0, 15, &[], &log), (15, 15));
        assert_eq!(counted(7, 15, &[], &log), (8, 15));
        assert_eq!(counted(7, 12, &[], &log).0, 5);
    }

    #[test]
    fn a_commit_before_the_last_marker_lags_by_nothing() {
        let log = [batch(0, 3, IN_TRANSACTION, 7), batch(3, 1, MARKER, 7)];
        assert_eq!(counted(3, 4, &[], &log), (0, 4));
        assert_eq!(counted(0, 4, &[], &log), (3, 4));
    }

    #[test]
    fn aborted_records_are_invisible_until_their_marker() {
        let log = [
            batch(0, 3, IN_TRANSACTION, 7),
            batch(3, 2, IN_TRANSACTION, 8),
            batch(5, 1, MARKER, 7),
            batch(6, 4, IN_TRANSACTION, 7),
            batch(10, 1, MARKER, 8),
            batch(11, 1, MARKER, 7),
        ];
        assert_eq!(counted(0, 12, &[(7, 0)], &log), (6, 12));
        assert_eq!(counted(0, 12, &[(7, 6)], &log), (5, 12));
        assert_eq!(counted(0, 12, &[(7, 0), (7, 6)], &log), (2, 12));
        assert_eq!(counted(0, 12, &[], &log), (9, 12));
    }

    #[test]
    fn a_batch_cut_short_is_fetched_again_and_old_formats_are_not_counted() {
        let mut log = batch(0, 10, DATA, -1).to_vec();
        log.extend(&batch(10, 5, DATA, -1)[..62]);
        let mut count = Count::new(0, 15);
        assert!(count.batches(log.clone().into()));
        assert_eq!((count.records, count.next), (10, 10));
        log[16] = 1;
        assert!(!Count::new(0, 15).batches(log.into()));
    }

    proptest! {
        #[test]
        fn junk_ends(junk in proptest::collection::vec(prop_oneof![Just(0u8), Just(2), any::<u8>()], 0..400)) {
            let mut count = Count::new(0, 1000);
            count.batches(junk.into());
            prop_assert!(count.next >= 0);
        }
    }
}
