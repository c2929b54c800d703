//! Start and end offsets of logs, and whether an audit can read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use kafka_protocol::{
    messages::{
        BrokerId, ListOffsetsRequest, TopicName,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
    protocol::StrBytes,
};
use tokio::time::sleep;

use super::{
    ask::{AskError, Asker, absent, check},
    view::{ClusterView, PartitionView},
};

/// A topic's partition.
pub type TopicPartition = (String, u32);

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The first offset in the log.
    Start,
    /// The high watermark: up to here the in-sync replicas have it.
    HighWatermark,
    /// The last stable offset: up to here no transaction is open (KIP-98). The high watermark if
    /// Kafka has no transactions (before 0.11).
    LastStable,
    /// The leader's log end offset, which only replicas get (replica −2, the debugging consumer).
    LogEnd,
}

/// The bounds of a log that is ready to be audited: high watermark and last stable offset have reached
/// its end, under one leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: i64,
    /// The log's end when it was requested, which high watermark and last stable offset have reached.
    pub end: i64,
    /// The leader before and after the offsets were read.
    pub leader: u32,
    /// Its epoch, if it is reported.
    pub leader_epoch: Option<i32>,
}

impl Bounds {
    /// Whether the same leader still leads in the same epoch: what was read since is one leader's log.
    pub fn same_leader(&self, topic: &str, partition: u32, view: &ClusterView) -> bool {
        view.partition(topic, partition).is_some_and(|p| self.led_by(p))
    }

    fn led_by(&self, partition: &PartitionView) -> bool {
        (partition.leader, partition.leader_epoch) == (Some(self.leader), self.leader_epoch)
    }
}

/// What [`Asker::audit_bounds`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditBounds {
    /// Partitions that can be read to their end.
    pub ready: BTreeMap<TopicPartition, Bounds>,
    /// Partitions that did not become ready in time, and why: the audit is inconclusive.
    pub not_ready: BTreeMap<TopicPartition, String>,
    /// Topics that do not exist.
    pub missing: BTreeSet<String>,
}

type Offsets = BTreeMap<TopicPartition, Result<i64, AskError>>;

impl Asker {
    /// One offset of one partition.
    pub async fn offset(&self, topic: &str, partition: u32, at: At) -> Result<i64, AskError> {
        let key = (topic.to_owned(), partition);
        let mut offsets = self.offsets(std::slice::from_ref(&key), at).await;
        offsets.remove(&key).unwrap_or_else(|| Err(missing(&key)))
    }

    /// Offsets of many partitions, one request for each leader.
    pub async fn offsets(&self, wanted: &[TopicPartition], at: At) -> Offsets {
        let view = self.watch.view();
        let mut out = Offsets::new();
        let mut by_leader: BTreeMap<u32, Vec<&TopicPartition>> = BTreeMap::new();
        for key in wanted {
            match view.partition(&key.0, key.1) {
                None => {
                    let unknown = absent(&view, partition_name(key));
                    out.insert(key.clone(), Err(unknown));
                }
                Some(p) => match p.leader {
                    Some(leader) => by_leader.entry(leader).or_default().push(key),
                    None => {
                        let (topic, partition) = key.clone();
                        out.insert(key.clone(), Err(AskError::NoLeader { topic, partition }));
                    }
                },
            }
        }
        let asked = by_leader.into_iter().map(|(leader, keys)| self.list_offsets(leader, keys, at));
        out.extend(futures::future::join_all(asked).await.into_iter().flatten());
        out
    }

    async fn list_offsets(&self, leader: u32, keys: Vec<&TopicPartition>, at: At) -> Offsets {
        let answer = self.call(leader, 9, |version| request(&keys, at, version)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return keys.into_iter().map(|key| (key.clone(), Err(error.clone()))).collect();
            }
        };
        let mut reported: Offsets = answer
            .topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(move |p| (t.name.to_string(), p)))
            .filter_map(|(topic, p)| {
                let partition = u32::try_from(p.partition_index).ok()?;
                let what = format!("offset of {topic}/{partition} at broker {leader}");
                let offset = check(p.error_code, None, &what).map(|()| p.offset);
                Some(((topic, partition), offset))
            })
            .collect();
        keys.into_iter()
            .map(|key| (key.clone(), reported.remove(key).unwrap_or_else(|| Err(missing(key)))))
            .collect()
    }

    /// Waits until the log of every partition of `topics` is ready to be audited, or `limit` has
    /// passed: acknowledged messages beyond the high watermark (acks=1, or an in-sync set below its
    /// minimum) would look lost, open transactions are not decided, and a new leader
    /// may truncate its log. Messages that running producers append later lie beyond the returned
    /// end.
    pub async fn audit_bounds(&self, topics: &[String], limit: Duration) -> AuditBounds {
        let begin = Instant::now();
        let _hurry = self.watch.hurry();
        let mut out = AuditBounds::default();
        loop {
            let before = self.watch.fresh().await;
            out.missing =
                topics.iter().filter(|t| !before.topics.contains_key(*t)).cloned().collect();
            let wanted: Vec<TopicPartition> = topics
                .iter()
                .flat_map(|t| before.partitions(Some(t)))
                .map(|(topic, p)| (topic.to_owned(), p.partition))
                .filter(|key| !out.ready.contains_key(key))
                .collect();
            out.not_ready = self.readiness(&before, &wanted, &mut out.ready).await;
            let done = out.not_ready.is_empty() && out.missing.is_empty();
            if done || begin.elapsed() >= limit {
                return out;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Moves ready partitions into `ready`; returns why the others are not ready.
    async fn readiness(
        &self,
        before: &ClusterView,
        wanted: &[TopicPartition],
        ready: &mut BTreeMap<TopicPartition, Bounds>,
    ) -> BTreeMap<TopicPartition, String> {
        // The end first: a watermark read later that equals it has caught up with it.
        let ends = self.offsets(wanted, At::LogEnd).await;
        let high = self.offsets(wanted, At::HighWatermark).await;
        let stable = self.offsets(wanted, At::LastStable).await;
        let starts = self.offsets(wanted, At::Start).await;
        let after = self.watch.fresh().await;
        let mut not_ready = BTreeMap::new();
        for key in wanted {
            let of =
                |offsets: &Offsets| offsets.get(key).cloned().unwrap_or_else(|| Err(missing(key)));
            let read = (|| Ok((of(&starts)?, of(&ends)?, of(&high)?, of(&stable)?)))();
            let led = |view: &ClusterView| view.partition(&key.0, key.1).cloned();
            match bounds(read, led(before), led(&after)) {
                Ok(bounds) => drop(ready.insert(key.clone(), bounds)),
                Err(reason) => drop(not_ready.insert(key.clone(), reason)),
            }
        }
        not_ready
    }
}

/// Start, log end, high watermark, last stable offset; the partition before and after they were
/// read.
fn bounds(
    read: Result<(i64, i64, i64, i64), AskError>,
    before: Option<PartitionView>,
    after: Option<PartitionView>,
) -> Result<Bounds, String> {
    let (start, end, high, stable) = read.map_err(|e| e.to_string())?;
    let (Some(before), Some(after)) = (before, after) else {
        return Err("the partition no longer exists".to_owned());
    };
    let Some(leader) = before.leader else { return Err("it has no leader".to_owned()) };
    let bounds = Bounds { start, end, leader, leader_epoch: before.leader_epoch };
    if !bounds.led_by(&after) {
        return Err(format!(
            "its leader changed while it was asked: from {} to {}",
            leadership(&before),
            leadership(&after)
        ));
    }
    // A running producer moves them between the requests: a watermark and a stable offset that
    // have passed the end are as good as equal ones.
    if high < end {
        return Err(format!(
            "the log of leader {leader} ends at {end}, beyond the high watermark {high}: \
             in sync are {:?} of {:?}",
            after.in_sync, after.replicas
        ));
    }
    if stable < end {
        return Err(format!("a transaction is open: stable up to {stable}, the log ends at {end}"));
    }
    Ok(bounds)
}

fn leadership(p: &PartitionView) -> String {
    let leader = p.leader.map_or_else(|| "none".to_owned(), |l| l.to_string());
    p.leader_epoch.map_or_else(|| leader.clone(), |epoch| format!("{leader} (epoch {epoch})"))
}

fn request(keys: &[&TopicPartition], at: At, version: i16) -> ListOffsetsRequest {
    const EARLIEST: i64 = -2;
    const LATEST: i64 = -1;
    const CONSUMER: i32 = -1;
    const DEBUGGING_CONSUMER: i32 = -2;
    let timestamp = if at == At::Start { EARLIEST } else { LATEST };
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (topic, partition) in keys {
        // Kafka numbers partitions by 32-bit integers.
        let index = i32::try_from(*partition).unwrap_or(i32::MAX);
        let partition =
            ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics
        .into_iter()
        .map(|(topic, partitions)| {
            ListOffsetsTopic::default().with_name(name(topic)).with_partitions(partitions)
        })
        .collect();
    let replica = if at == At::LogEnd { DEBUGGING_CONSUMER } else { CONSUMER };
    // Read_committed requests the last stable offset; version 1 has no isolation.
    let isolation = i8::from(at == At::LastStable && version >= 2);
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(replica))
        .with_isolation_level(isolation)
        .with_topics(topics)
}

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

pub(super) fn missing(key: &TopicPartition) -> AskError {
    AskError::Missing(partition_name(key))
}

fn partition_name(key: &TopicPartition) -> String {
    format!("partition {}/{}", key.0, key.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(leader: Option<u32>, epoch: i32) -> Option<PartitionView> {
        let replicas = vec![1, 2];
        let p = PartitionView { leader, leader_epoch: Some(epoch), replicas, ..Default::default() };
        Some(p)
    }

    #[test]
    fn ready_when_all_is_one_under_one_leader() {
        let expected = Bounds { start: 3, end: 9, leader: 1, leader_epoch: Some(4) };
        assert_eq!(
            bounds(Ok((3, 9, 9, 9)), led(Some(1), 4), led(Some(1), 4)),
            Ok(expected.clone())
        );
        // Appended to while it was asked.
        assert_eq!(
            bounds(Ok((3, 9, 12, 11)), led(Some(1), 4), led(Some(1), 4)),
            Ok(expected.clone())
        );
        let mut view = ClusterView::default();
        assert!(!expected.same_leader("t", 0, &view));
        let topic = crate::observer::TopicView {
            partitions: led(Some(1), 4).into_iter().collect(),
            ..Default::default()
        };
        view.topics.insert("t".to_owned(), topic);
        assert!(expected.same_leader("t", 0, &view));
        view.topics.get_mut("t").expect("inserted").partitions[0].leader_epoch = Some(5);
        assert!(!expected.same_leader("t", 0, &view));
    }

    #[test]
    fn each_reason_why_not() {
        let one = || led(Some(1), 4);
        let reason = |read, before, after| bounds(read, before, after).expect_err("not ready");
        assert!(reason(Ok((0, 9, 7, 7)), one(), one()).contains("beyond the high watermark 7"));
        assert!(reason(Ok((0, 9, 9, 7)), one(), one()).contains("transaction is open"));
        assert!(reason(Ok((0, 9, 9, 9)), one(), led(Some(2), 5)).contains("from 1 (epoch 4) to 2"));
        // The same leader again after an election: it may have cut its log in between.
        assert!(reason(Ok((0, 9, 9, 9)), one(), led(Some(1), 6)).contains("leader changed"));
        assert!(reason(Ok((0, 9, 9, 9)), led(None, 4), one()).contains("no leader"));
        assert!(reason(Ok((0, 9, 9, 9)), one(), None).contains("the partition no longer exists"));
        assert!(reason(Err(AskError::NobodyAnswers), one(), one()).contains("no broker answers"));
    }

    #[test]
    fn a_replica_asks_for_the_log_end_and_old_brokers_know_no_isolation() {
        let key = ("t".to_owned(), 0);
        let end = request(&[&key], At::LogEnd, 5);
        assert_eq!((end.replica_id.0, end.isolation_level), (-2, 0));
        let stable = |version| request(&[&key], At::LastStable, version);
        assert_eq!((stable(5).replica_id.0, stable(5).isolation_level), (-1, 1));
        assert_eq!(stable(1).isolation_level, 0);
        assert_eq!(request(&[&key], At::Start, 1).topics[0].partitions[0].timestamp, -2);
    }
}
