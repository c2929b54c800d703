//! Topics of a real cluster, through librdkafka's admin client.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use rdkafka::{
    ClientConfig,
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    error::{KafkaError as ClientError, RDKafkaErrorCode},
};
use tokio::time::{Instant, sleep};

use super::{AdminError, KafkaError, Placement, RigError, TopicAdmin, TopicChange, TopicSpec};
use crate::client::{Routed, create, routes::Router};

/// One request's limit; a controller that is being elected answers late or never.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// All attempts together.
const LIMIT: Duration = Duration::from_secs(45);
const PAUSE: Duration = Duration::from_millis(250);
/// How long a broker may take to report the controller.
const METADATA_LIMIT: Duration = Duration::from_secs(5);

/// Creates, changes and deletes topics.
pub struct Topics {
    config: ClientConfig,
    addresses: String,
    router: Option<Arc<Router>>,
    client: Mutex<Option<Arc<Client>>>,
}

/// One attempt's end.
type Attempt = Result<(), Refusal>;

/// The error of Kafka, or of the client before it sent a request.
struct Refusal {
    code: RDKafkaErrorCode,
    message: String,
    /// The client sent no request.
    unmade: bool,
}

impl From<RDKafkaErrorCode> for Refusal {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self { code, message: code.to_string(), unmade: false }
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let code = match error {
            // The client library reports the code of this error only here.
            ClientError::AdminOp(code) => code,
            ref other => other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
        };
        let unmade = matches!(
            error,
            ClientError::AdminOpCreation(_)
                | ClientError::AdminOp(RDKafkaErrorCode::InvalidArgument)
        );
        Self { code, message: error.to_string(), unmade }
    }
}

impl Topics {
    /// For the cluster behind these addresses (`HOST:PORT,...`), with whatever settings its
    /// clients need. Connects at first use.
    pub fn new(addresses: &str, settings: &IndexMap<String, String>) -> Self {
        let mut config = ClientConfig::new();
        config.set("broker.address.family", "v4");
        // Brokers are killed on purpose: reconnect soon.
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "500");
        for (key, value) in settings {
            config.set(key, value);
        }
        let addresses = addresses.to_owned();
        Self { config, addresses, router: None, client: Mutex::default() }
    }

    /// Connects to the addresses that the router returns.
    pub fn routed(self, router: Option<Arc<Router>>) -> Self {
        Self { router, ..self }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Client>>> {
        self.client.lock().expect("no holder panics")
    }

    fn client(&self) -> Result<Arc<Client>, RigError> {
        let mut kept = self.kept();
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let (config, router) = (self.config.clone(), self.router.clone());
        let native = |client: &Admin| client.inner().native_ptr();
        let made = create(config, DefaultClientContext, &self.addresses, router, native);
        let made = made.map_err(|error: ClientError| {
            RigError::Other(format!("librdkafka refused the admin client: {error}"))
        })?;
        Ok(kept.insert(Arc::new(made)).clone())
    }

    /// A new client in place of one that no broker answers. The metadata of a broker that has just started in
    /// ZooKeeper mode (it lists no brokers) can leave librdkafka without any broker to ask, permanently.
    fn anew(&self, old: Arc<Client>) -> Result<Arc<Client>, RigError> {
        let kept = self.kept().take();
        // Dropping it waits for its threads.
        tokio::task::spawn_blocking(move || drop((kept, old)));
        self.client()
    }

    /// Retries until the request is done, Kafka refuses it finally, or the time is up.
    async fn attempt(&self, request: Request<'_>) -> Result<(), AdminError> {
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_LIMIT))
            .operation_timeout(Some(REQUEST_LIMIT));
        let deadline = Instant::now() + LIMIT;
        let mut answer_lost = false;
        loop {
            let mut client = self.client()?;
            if !look_for_controller(&client).await {
                client = self.anew(client)?;
            }
            let Err(refusal) = request.send(&client, &options).await else { return Ok(()) };
            if answer_lost && request.is_done(refusal.code) {
                return Ok(());
            }
            let lost = is_lost(refusal.code);
            answer_lost |= lost;
            if (lost || is_early(refusal.code)) && Instant::now() < deadline {
                sleep(PAUSE).await;
                continue;
            }
            return Err(refused(request, refusal));
        }
    }
}

#[async_trait]
impl TopicAdmin for Topics {
    async fn create_topic(&self, topic: &TopicSpec) -> Result<(), AdminError> {
        let assignment = assignment(&topic.placement)?;
        let borrowed: Vec<&[i32]> = assignment.iter().map(Vec::as_slice).collect();
        let (partitions, replication) = match &topic.placement {
            Placement::Counts { partitions, replicas } => {
                (number(*partitions)?, TopicReplication::Fixed(number(*replicas)?))
            }
            Placement::Assignment(list) => {
                (number(list.len())?, TopicReplication::Variable(&borrowed))
            }
        };
        let new = NewTopic::new(&topic.name, partitions, replication);
        let new = topic.config.iter().fold(new, |new, (key, value)| new.set(key, value));
        self.attempt(Request::Create(&topic.name, &new)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), AdminError> {
        self.attempt(Request::Delete(name)).await
    }

    async fn delete_groups(&self, names: &[String]) -> Result<(), AdminError> {
        for name in names {
            match self.attempt(Request::Group(name)).await {
                Err(AdminError::Kafka(refused)) if refused.code == "GROUP_ID_NOT_FOUND" => {}
                other => other?,
            }
        }
        Ok(())
    }

    async fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<(), AdminError> {
        if let Some(partitions) = change.partitions {
            self.attempt(Request::Partitions(name, partitions)).await?;
        }
        if change.config.is_empty() {
            return Ok(());
        }
        self.attempt(Request::Config(name, &change.config)).await
    }
}

/// The error after all attempts: Kafka's error, a missing answer as a code of the client's own, or a request
/// that could not be built from the plan.
fn refused(request: Request<'_>, refusal: Refusal) -> AdminError {
    let message = format!("could not {}: {}", request.what(), refusal.message);
    if refusal.unmade {
        return AdminError::Impossible(message);
    }
    let code = error_name(refusal.code);
    let message = if is_clients_own(refusal.code) { message } else { refusal.message };
    KafkaError { code, message }.into()
}

type Admin = AdminClient<DefaultClientContext>;
type Client = Routed<Admin>;

/// librdkafka asks the controller that it knows forever, even after another took over: it learns of the new one
/// only from metadata, and an admin client has no topics to ask about. Returns whether any broker answered; if
/// none did, that is no error here: the next attempt reports it.
async fn look_for_controller(client: &Arc<Client>) -> bool {
    let client = Arc::clone(client);
    let asked = tokio::task::spawn_blocking(move || {
        client.inner().fetch_metadata(None, METADATA_LIMIT).map(drop)
    });
    asked.await.is_ok_and(|answer| answer.is_ok())
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Create(&'a str, &'a NewTopic<'a>),
    Delete(&'a str),
    Group(&'a str),
    Partitions(&'a str, u32),
    Config(&'a str, &'a IndexMap<String, String>),
}

impl Request<'_> {
    fn what(self) -> String {
        match self {
            Self::Create(name, _) => format!("create topic {name}"),
            Self::Delete(name) => format!("delete topic {name}"),
            Self::Group(name) => format!("delete group {name}"),
            Self::Partitions(name, count) => format!("increase topic {name} to {count} partitions"),
            Self::Config(name, _) => format!("change settings of topic {name}"),
        }
    }

    async fn send(self, client: &Client, options: &AdminOptions) -> Attempt {
        match self {
            Self::Create(_, topic) => one(client.create_topics([topic], options).await?),
            Self::Delete(name) => one(client.delete_topics(&[name], options).await?),
            Self::Group(name) => one(client.delete_groups(&[name], options).await?),
            Self::Partitions(name, count) => {
                let new = NewPartitions::new(name, count as usize);
                one(client.create_partitions([&new], options).await?)
            }
            Self::Config(name, config) => alter_config(client, options, name, config).await,
        }
    }

    /// True for the refusal that means success after the answer to an earlier attempt was lost.
    fn is_done(self, code: RDKafkaErrorCode) -> bool {
        use RDKafkaErrorCode as E;
        match self {
            Self::Create(..) => code == E::TopicAlreadyExists,
            Self::Delete(_) => matches!(code, E::UnknownTopicOrPartition | E::UnknownTopic),
            Self::Partitions(..) => code == E::InvalidPartitions,
            Self::Group(_) => code == E::GroupIdNotFound,
            Self::Config(..) => false,
        }
    }
}

/// Kafka's oldest request for this replaces all settings of a topic (and is the only one that
/// 0.11 to 2.2 and this client have): the current settings are sent along.
async fn alter_config(
    client: &Client,
    options: &AdminOptions,
    name: &str,
    config: &IndexMap<String, String>,
) -> Attempt {
    let resource = ResourceSpecifier::Topic(name);
    let described = client.describe_configs([&resource], options).await?;
    let mut all = IndexMap::new();
    for entry in described.into_iter().flatten().flat_map(|resource| resource.entries) {
        let is_own = entry.source == rdkafka::admin::ConfigSource::DynamicTopic;
        if let (true, Some(value)) = (is_own, entry.value) {
            all.insert(entry.name, value);
        }
    }
    all.extend(config.clone());
    let wanted =
        all.iter().fold(AlterConfig::new(resource), |alter, (key, value)| alter.set(key, value));
    match client.alter_configs([&wanted], options).await?.into_iter().next() {
        Some(Err((_, code))) => Err(code.into()),
        _ => Ok(()),
    }
}

/// The name of an error that reports show and plans expect: Kafka's name, e.g. `NOT_LEADER_OR_FOLLOWER`;
/// librdkafka's own errors keep the client's names, with a leading underscore (`_TIMED_OUT`).
pub fn error_name(code: RDKafkaErrorCode) -> String {
    crate::client::Code(code as i32).name().to_owned()
}

/// librdkafka numbers its own errors from -200 to -100; Kafka's are -1 and up.
fn is_clients_own(code: RDKafkaErrorCode) -> bool {
    code as i32 <= -100
}

/// No answer came: the request may have been carried out.
fn is_lost(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        code,
        E::RequestTimedOut
            | E::OperationTimedOut
            | E::TimedOutQueue
            | E::BrokerTransportFailure
            | E::AllBrokersDown
            | E::NetworkException
            // The client dropped its connection: a broker that has just started may list no others,
            // or not yet the one that was asked.
            | E::DestroyBroker
    )
}

/// The controller is not ready yet: the request was not carried out.
fn is_early(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(code, E::NotController | E::BrokerNotAvailable | E::LeaderNotAvailable)
}

fn one(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Attempt {
    match results.into_iter().next() {
        Some(Err((_, code))) => Err(code.into()),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn number(count: impl TryInto<i32>) -> Result<i32, RigError> {
    count
        .try_into()
        .map_err(|_| RigError::Other("the number is too large for Kafka's protocol".to_owned()))
}

fn assignment(placement: &Placement) -> Result<Vec<Vec<i32>>, RigError> {
    match placement {
        Placement::Counts { .. } => Ok(vec![]),
        Placement::Assignment(list) => list
            .iter()
            .map(|replicas| replicas.iter().map(|broker| number(*broker)).collect())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_kafkas_names() {
        use RDKafkaErrorCode as E;
        for (code, name) in [
            (E::InvalidReplicationFactor, "INVALID_REPLICATION_FACTOR"),
            (E::TopicAlreadyExists, "TOPIC_ALREADY_EXISTS"),
            (E::NotEnoughReplicas, "NOT_ENOUGH_REPLICAS"),
            (E::NotLeaderForPartition, "NOT_LEADER_OR_FOLLOWER"),
            (E::UnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION"),
            (E::MessageSizeTooLarge, "MESSAGE_TOO_LARGE"),
            (E::PolicyViolation, "POLICY_VIOLATION"),
            (E::Unknown, "UNKNOWN_SERVER_ERROR"),
            (E::OperationTimedOut, "_TIMED_OUT"),
            (E::BrokerTransportFailure, "_TRANSPORT"),
            (E::MessageTimedOut, "_MSG_TIMED_OUT"),
        ] {
            assert_eq!(error_name(code), name);
        }
    }

    #[test]
    fn a_request_without_an_answer_is_lost_not_refused() {
        for code in [RDKafkaErrorCode::OperationTimedOut, RDKafkaErrorCode::DestroyBroker] {
            let refusal = Refusal::from(ClientError::AdminOp(code));
            assert!(is_lost(refusal.code), "{:?}", refusal.code);
        }
        let refusal = Refusal::from(ClientError::Global(RDKafkaErrorCode::BrokerTransportFailure));
        assert!(is_lost(refusal.code), "{:?}", refusal.code);
    }

    #[test]
    fn an_assignment_is_handed_on_as_written() {
        let placement = Placement::Assignment(vec![vec![1, 2], vec![3]]);
        assert_eq!(assignment(&placement).expect("small numbers"), [vec![1, 2], vec![3]]);
        assert!(assignment(&Placement::Assignment(vec![vec![u32::MAX]])).is_err());
    }
}
