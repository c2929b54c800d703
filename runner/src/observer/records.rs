//! Deletes records on request (KIP-107: Kafka 0.11 on).

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::messages::{
    DeleteRecordsRequest,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
};

use super::{
    ask::{AskError, Asker, absent, check},
    offsets::{TopicPartition, missing, name},
};

/// The broker waits until the replicas have deleted them too.
const LIMIT: Duration = Duration::from_secs(20);
/// Stands for the high watermark.
const END: i64 = -1;

impl Asker {
    /// Deletes the records of a topic's partitions before an offset, or all that consumers can read. Returns where
    /// each log begins then.
    pub async fn delete_records(
        &self,
        topic: &str,
        partitions: &[u32],
        before: Option<i64>,
    ) -> Result<BTreeMap<TopicPartition, i64>, AskError> {
        let view = self.watch.fresh().await;
        let mut by_leader: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            let key = (topic.to_owned(), *partition);
            let known = view.partition(topic, *partition);
            let known =
                known.ok_or_else(|| absent(&view, format!("partition {topic}/{partition}")))?;
            let leader = known.leader;
            let (topic, partition) = key;
            let leader = leader.ok_or(AskError::NoLeader { topic, partition })?;
            // Kafka numbers partitions by 32-bit integers.
            by_leader.entry(leader).or_default().push(i32::try_from(partition).unwrap_or(i32::MAX));
        }
        let mut starts = BTreeMap::new();
        for (leader, indexes) in by_leader {
            starts.extend(self.delete_at(leader, topic, &indexes, before.unwrap_or(END)).await?);
        }
        let left_out = partitions.iter().map(|p| (topic.to_owned(), *p));
        match left_out.into_iter().find(|key| !starts.contains_key(key)) {
            Some(key) => Err(missing(&key)),
            None => Ok(starts),
        }
    }

    async fn delete_at(
        &self,
        leader: u32,
        topic: &str,
        indexes: &[i32],
        offset: i64,
    ) -> Result<BTreeMap<TopicPartition, i64>, AskError> {
        let partition = |index: &i32| {
            DeleteRecordsPartition::default().with_partition_index(*index).with_offset(offset)
        };
        let wanted = DeleteRecordsTopic::default()
            .with_name(name(topic))
            .with_partitions(indexes.iter().map(partition).collect());
        let limit_ms = i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX);
        let answer = self
            .call_within(leader, 2, LIMIT + Duration::from_secs(2), |_| {
                DeleteRecordsRequest::default()
                    .with_topics(vec![wanted.clone()])
                    .with_timeout_ms(limit_ms)
            })
            .await?;
        let mut starts = BTreeMap::new();
        for reported in answer.topics.iter().flat_map(|t| &t.partitions) {
            let what = format!("DeleteRecords of {topic}/{}", reported.partition_index);
            check(reported.error_code, None, &what)?;
            if let Ok(partition) = u32::try_from(reported.partition_index) {
                starts.insert((topic.to_owned(), partition), reported.low_watermark);
            }
        }
        Ok(starts)
    }
}
