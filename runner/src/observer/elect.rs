//! Leader elections on demand.

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::messages::{
    ElectLeadersRequest, elect_leaders_request::TopicPartitions as Partitions,
};
use kplan_dsl::value::ElectionType;
use serde_json::json;
use tokio::time::{sleep, timeout};
use zookeeper_client::{Acls, Client, CreateMode, Error};

use super::{
    ask::{AskError, Asker, absent, answering, check},
    offsets::name,
};
use crate::cluster::{KafkaError, Quorum};

/// Kafka's own default for such requests is longer; an election takes milliseconds.
const LIMIT: Duration = Duration::from_secs(20);
const REQUEST: &str = "/admin/preferred_replica_election";

/// The result by partition: none if the election was held or not needed.
pub type Elected = BTreeMap<u32, Option<KafkaError>>;

impl Asker {
    /// Requests an election for every partition of `topic`: ElectLeaders (KIP-183, KIP-460) if
    /// Kafka has it (2.2 on), else the znode that the old command-line tool writes, without results for
    /// single partitions. The view shows whether the wanted broker leads.
    pub async fn hold_election(
        &self,
        topic: &str,
        kind: ElectionType,
    ) -> Result<Elected, AskError> {
        let view = self.watch.fresh().await;
        let known = view.topics.get(topic);
        let known = known.ok_or_else(|| absent(&view, format!("topic {topic}")))?;
        let partitions: Vec<u32> = known.partitions.iter().map(|p| p.partition).collect();
        // With ZooKeeper only the controller can; with KRaft every broker forwards to it.
        let asked = match (self.cluster.spec().mode, view.controller) {
            (Quorum::Zookeeper, Some(controller)) => vec![controller],
            (Quorum::Zookeeper, None) => return Err(AskError::NoController),
            _ => answering(&view),
        };
        let broker = *asked.first().ok_or(AskError::NobodyAnswers)?;
        match self.elect_by_request(broker, topic, &partitions, kind).await {
            Err(AskError::Wire { cause, .. }) if cause.is_unsupported() => {
                if kind == ElectionType::Unclean || self.cluster.spec().mode != Quorum::Zookeeper {
                    let text = "this Kafka version does not support this election on demand";
                    return Err(AskError::Unsupported(text.to_owned()));
                }
                self.elect_by_znode(topic, &partitions).await?;
                Ok(partitions.into_iter().map(|p| (p, None)).collect())
            }
            result => result,
        }
    }

    async fn elect_by_request(
        &self,
        broker: u32,
        topic: &str,
        partitions: &[u32],
        kind: ElectionType,
    ) -> Result<Elected, AskError> {
        let indexes: Vec<i32> = partitions.iter().filter_map(|p| (*p).try_into().ok()).collect();
        let wanted = Partitions::default().with_topic(name(topic)).with_partitions(indexes);
        let limit_ms = i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX);
        // Version 0 has the preferred kind only, and cannot be written for the other.
        let answer = self
            .call_within(broker, 2, LIMIT + Duration::from_secs(2), |_| {
                ElectLeadersRequest::default()
                    .with_election_type(i8::from(kind == ElectionType::Unclean))
                    .with_topic_partitions(Some(vec![wanted.clone()]))
                    .with_timeout_ms(limit_ms)
            })
            .await?;
        check(answer.error_code, None, "ElectLeaders")?;
        let reported = answer.replica_election_results.iter().flat_map(|t| &t.partition_result);
        Ok(reported
            .filter_map(|p| {
                let refused = check(p.error_code, p.error_message.as_ref(), "ElectLeaders").err();
                let error = refused.and_then(|e| match e {
                    AskError::Kafka { error, .. } if error.code != "ELECTION_NOT_NEEDED" => {
                        Some(error)
                    }
                    _ => None,
                });
                Some((u32::try_from(p.partition_id).ok()?, error))
            })
            .collect())
    }

    async fn elect_by_znode(&self, topic: &str, partitions: &[u32]) -> Result<(), AskError> {
        let client = self.zookeeper().await?;
        let partitions: Vec<_> =
            partitions.iter().map(|p| json!({"topic": topic, "partition": p})).collect();
        let request = json!({"version": 1, "partitions": partitions}).to_string();
        let late =
            || AskError::TimedOut { what: "the election is not done".to_owned(), limit: LIMIT };
        let held = timeout(LIMIT, request_by_znode(&client, REQUEST, request.as_bytes())).await;
        held.map_err(|_| late())?.map_err(|e| AskError::Zookeeper(e.to_string()))
    }
}

/// Writes a request to the controller once an earlier one is done, and waits until the controller
/// has removed it.
pub(super) async fn request_by_znode(
    client: &Client,
    path: &str,
    request: &[u8],
) -> Result<(), Error> {
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    loop {
        match client.create(path, request, &options).await {
            Err(Error::NodeExists) => sleep(Duration::from_millis(50)).await,
            result => break result.map(drop)?,
        }
    }
    while client.check_stat(path).await?.is_some() {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
