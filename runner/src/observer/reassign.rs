//! Moves replicas to other brokers on demand.

use std::time::Duration;

use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId,
    alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
};
use serde_json::json;
use tokio::time::timeout;

use super::{
    alter::{Changes, Resource},
    ask::{AskError, Asker, answering, check},
    elect::request_by_znode,
    offsets::name,
};
use crate::cluster::Quorum;

const LIMIT: Duration = Duration::from_secs(20);
/// Before KIP-455 the request stays in ZooKeeper until every replica has been moved.
const ZNODE_LIMIT: Duration = Duration::from_secs(9 * 60);
const REQUEST: &str = "/admin/reassign_partitions";
const WHAT: &str = "AlterPartitionReassignments";

impl Asker {
    /// Asks the controller to move the replicas of `topic`: index is the partition. Kafka 2.4 and
    /// newer accept it and go on in the background; before, this returns when all have moved.
    pub async fn reassign(&self, topic: &str, replicas: &[Vec<u32>]) -> Result<(), AskError> {
        let view = self.watch.fresh().await;
        let asked = match (self.cluster.spec().mode, view.controller) {
            (Quorum::Zookeeper, Some(controller)) => Some(controller),
            (Quorum::Zookeeper, None) => None,
            _ => answering(&view).first().copied(),
        };
        let broker = asked.ok_or(AskError::NobodyAnswers)?;
        match self.reassign_by_request(broker, topic, replicas).await {
            Err(AskError::Wire { cause, .. })
                if cause.is_unsupported() && self.cluster.spec().mode == Quorum::Zookeeper =>
            {
                self.reassign_by_znode(topic, replicas).await
            }
            result => result,
        }
    }

    async fn reassign_by_request(
        &self,
        broker: u32,
        topic: &str,
        replicas: &[Vec<u32>],
    ) -> Result<(), AskError> {
        let partition = |(index, brokers): (i32, &Vec<u32>)| {
            let ids = brokers.iter().filter_map(|b| i32::try_from(*b).ok().map(BrokerId)).collect();
            ReassignablePartition::default().with_partition_index(index).with_replicas(Some(ids))
        };
        let partitions: Vec<_> = (0..).zip(replicas).map(partition).collect();
        let wanted =
            ReassignableTopic::default().with_name(name(topic)).with_partitions(partitions);
        let limit_ms = i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX);
        let answer = self
            .call_within(broker, 0, LIMIT + Duration::from_secs(2), |_| {
                AlterPartitionReassignmentsRequest::default()
                    .with_timeout_ms(limit_ms)
                    .with_topics(vec![wanted.clone()])
            })
            .await?;
        check(answer.error_code, answer.error_message.as_ref(), WHAT)?;
        for reported in answer.responses.iter().flat_map(|t| &t.partitions) {
            let what = format!("{WHAT} of {topic}/{}", reported.partition_index);
            check(reported.error_code, reported.error_message.as_ref(), &what)?;
        }
        Ok(())
    }

    async fn reassign_by_znode(&self, topic: &str, replicas: &[Vec<u32>]) -> Result<(), AskError> {
        let client = self.zookeeper().await?;
        let row = |(p, r): (u32, &Vec<u32>)| json!({"topic": topic, "partition": p, "replicas": r});
        let partitions: Vec<_> = (0..).zip(replicas).map(row).collect();
        let request = json!({"version": 1, "partitions": partitions}).to_string();
        let done = timeout(ZNODE_LIMIT, request_by_znode(&client, REQUEST, request.as_bytes()));
        let late = || AskError::TimedOut {
            what: "the replicas have not been moved".to_owned(),
            limit: ZNODE_LIMIT,
        };
        done.await.map_err(|_| late())?.map_err(|e| AskError::Zookeeper(e.to_string()))
    }

    /// Limits replication to and from each broker for `topic` to `rate` bytes a second, or
    /// removes the limit (KIP-73, through KIP-339: Kafka 2.3 on).
    pub async fn throttle(&self, topic: &str, rate: Option<u64>) -> Result<(), AskError> {
        let sides = ["leader", "follower"];
        let replicas = sides.map(|s| format!("{s}.replication.throttled.replicas"));
        let rates = sides.map(|s| format!("{s}.replication.throttled.rate"));
        let view = self.watch.fresh().await;
        let brokers = answering(&view);
        let each = |keys: [String; 2], value: Option<String>| -> Changes {
            keys.map(|key| (key, value.clone())).into()
        };
        for broker in &brokers {
            let changes = each(rates.clone(), rate.map(|r| r.to_string()));
            self.set_configs(*broker, Resource::Broker(*broker), &changes).await?;
        }
        let broker = brokers.first().ok_or(AskError::NobodyAnswers)?;
        let changes = each(replicas, rate.map(|_| "*".to_owned()));
        self.set_configs(*broker, Resource::Topic(topic), &changes).await
    }
}
