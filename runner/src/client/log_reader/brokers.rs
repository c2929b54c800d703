//! Fetches over kplan's own connections, without librdkafka: one request at a time, to the partition's leader.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    error::ResponseError,
    messages::{
        BrokerId, FetchRequest, MetadataRequest, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        metadata_request::MetadataRequestTopic,
    },
    protocol::StrBytes,
};
use kplan_dsl::value::Isolation;
use tokio::runtime::Runtime;

use super::super::{
    ClientError,
    routes::{Router, address},
    spec::Common,
};
use crate::{
    codes::error_name,
    wire::{Connection, Credentials, WireError},
};

/// Time for a connection, and for an answer.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a broker may wait for data, in milliseconds.
const WAIT_MS: i32 = 500;
/// Bytes per request. A larger batch is returned completely.
const BYTES: i32 = 1 << 20;
/// The same if that was too little; larger answers are not read.
const MORE_BYTES: i32 = 3 << 20;
/// The newest versions that name topics by their names.
const FETCH: i16 = 12;
const METADATA: i16 = 9;

/// The data of a leader's answer.
pub(super) struct Fetched {
    /// Record batches, the last one possibly cut off.
    pub(super) records: Bytes,
    /// Aborted transactions: producer and first offset.
    pub(super) aborted: Vec<(i64, i64)>,
}

/// Why nothing was fetched.
pub(super) struct Trouble {
    pub(super) why: String,
    /// It stays so: the broker does not speak what kplan's own reader speaks.
    pub(super) stays: bool,
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self { why, stays: false }
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self { why: error.to_string(), stays: error.is_unsupported() }
    }
}

/// The brokers of a cluster, and connections to them.
pub(super) struct Brokers {
    runtime: Runtime,
    credentials: Credentials,
    router: Option<Router>,
    bootstrap: Vec<String>,
    client: String,
    leaders: BTreeMap<(String, i32), String>,
    open: BTreeMap<String, Connection>,
}

impl Brokers {
    pub(super) fn new(common: &Common) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| ClientError::new(format!("no runtime: {e}")))?;
        let router = common.routes.clone().map(Router::new);
        let bootstrap = common.routes.as_ref().map(super::super::routes::Routes::bootstrap);
        let bootstrap = bootstrap.unwrap_or_else(|| common.bootstrap.clone());
        Ok(Self {
            runtime,
            credentials: Credentials::from_client_config(&common.config),
            router,
            bootstrap: bootstrap.split(',').map(str::to_owned).collect(),
            client: format!("kplan-{}", common.file_stem()),
            leaders: BTreeMap::new(),
            open: BTreeMap::new(),
        })
    }

    /// The leader's data from this offset on; else why there is none.
    pub(super) fn fetch(
        &mut self,
        (topic, partition): (&str, i32),
        offset: i64,
        isolation: Isolation,
        more: bool,
    ) -> Result<Fetched, Trouble> {
        let place = (topic.to_owned(), partition);
        let leader = self.leader(&place)?;
        let bytes = if more { MORE_BYTES } else { BYTES };
        let part = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(bytes);
        let fetched = self.fetch_from(&leader, topic, part, isolation);
        if fetched.is_err() {
            // It may lead no more, or the connection may be out of step.
            self.leaders.remove(&place);
            self.open.remove(&leader);
        }
        fetched
    }

    fn fetch_from(
        &mut self,
        leader: &str,
        topic: &str,
        part: FetchPartition,
        isolation: Isolation,
    ) -> Result<Fetched, Trouble> {
        let bytes = part.partition_max_bytes;
        let topic = FetchTopic::default().with_topic(named(topic)).with_partitions(vec![part]);
        let committed = isolation == Isolation::ReadCommitted;
        let request = FetchRequest::default()
            .with_max_wait_ms(WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(bytes)
            .with_isolation_level(i8::from(committed))
            .with_topics(vec![topic]);
        let answer = self.call(leader, &request, FETCH)?;
        refused(answer.error_code)?;
        let part = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let part = part.ok_or_else(|| "the answer to Fetch names no partition".to_owned())?;
        refused(part.error_code)?;
        let aborted = part.aborted_transactions.unwrap_or_default().into_iter();
        Ok(Fetched {
            records: part.records.unwrap_or_default(),
            aborted: aborted.map(|t| (t.producer_id.0, t.first_offset)).collect(),
        })
    }

    /// The address of a partition's leader.
    fn leader(&mut self, place: &(String, i32)) -> Result<String, Trouble> {
        if let Some(known) = self.leaders.get(place) {
            return Ok(known.clone());
        }
        let topic = MetadataRequestTopic::default().with_name(Some(named(&place.0)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic]))
            .with_allow_auto_topic_creation(false);
        let mut trouble = Trouble::from(String::new());
        for broker in self.bootstrap.clone() {
            let answer = match self.call(&broker, &request, METADATA) {
                Ok(answer) => answer,
                Err(error) => {
                    self.open.remove(&broker);
                    trouble = error.into();
                    continue;
                }
            };
            let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let mut led =
                parts.filter(|p| p.partition_index == place.1 && p.leader_id != BrokerId(-1));
            let leader = led.next().map(|p| p.leader_id);
            match answer.brokers.iter().find(|b| Some(b.node_id) == leader) {
                Some(broker) => {
                    let leader = address(&broker.host, &broker.port.to_string());
                    self.leaders.insert(place.clone(), leader.clone());
                    return Ok(leader);
                }
                None => trouble = "no leader is known".to_owned().into(),
            }
        }
        Err(trouble)
    }

    /// Asks the broker that advertises this address.
    fn call<R: kafka_protocol::protocol::Request>(
        &mut self,
        broker: &str,
        request: &R,
        most: i16,
    ) -> Result<R::Response, WireError> {
        if !self.open.contains_key(broker) {
            // It asks brokers in a runtime of its own.
            let target = match &self.router {
                Some(router) => router.target(broker),
                None => Some(broker.to_owned()),
            };
            let target = target.unwrap_or_else(|| broker.to_owned());
            let opened = Connection::open(&target, &self.credentials, LIMIT);
            let opened = self.runtime.block_on(opened)?.called(&self.client);
            self.open.insert(broker.to_owned(), opened);
        }
        let gone = || WireError::Unsupported { what: format!("a connection to {broker}") };
        let connection = self.open.get_mut(broker).ok_or_else(gone)?;
        let version = connection.version::<R>(most)?;
        self.runtime.block_on(connection.call(request, version, LIMIT))
    }
}

fn named(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn refused(code: i16) -> Result<(), String> {
    ResponseError::try_from_code(code).map_or(Ok(()), |error| Err(error_name(error)))
}
