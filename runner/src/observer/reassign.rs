//! Moves replicas to other brokers on demand.

use std::time::Duration;

use kafka_protocol::{
    messages::{
        AlterPartitionReassignmentsRequest, BrokerId, IncrementalAlterConfigsRequest,
        alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    },
    protocol::StrBytes,
};
use serde_json::json;
use tokio::time::timeout;

use super::{
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
/// Resource types and operations of the protocol.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;

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
        for broker in &brokers {
            let value = rate.map(|r| r.to_string());
            let resource = resource(BROKER, &broker.to_string(), &rates, value.as_deref());
            self.set_configs(*broker, resource).await?;
        }
        let broker = brokers.first().ok_or(AskError::NobodyAnswers)?;
        self.set_configs(*broker, resource(TOPIC, topic, &replicas, rate.map(|_| "*"))).await
    }

    async fn set_configs(&self, broker: u32, one: AlterConfigsResource) -> Result<(), AskError> {
        let answer = self
            .call_within(broker, 1, LIMIT, |_| {
                IncrementalAlterConfigsRequest::default().with_resources(vec![one.clone()])
            })
            .await?;
        for reported in &answer.responses {
            check(reported.error_code, reported.error_message.as_ref(), "IncrementalAlterConfigs")?;
        }
        Ok(())
    }
}

/// The same value for some settings of a resource; none removes them.
fn resource(kind: i8, of: &str, keys: &[String], value: Option<&str>) -> AlterConfigsResource {
    let text = |t: &str| StrBytes::from_string(t.to_owned());
    let setting = |key: &String| {
        AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(if value.is_some() { SET } else { DELETE })
            .with_value(value.map(text))
    };
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(of))
        .with_configs(keys.iter().map(setting).collect())
}
