//! Single requests to single brokers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kafka_protocol::{
    error::ResponseError,
    protocol::{Request, StrBytes},
};

use tokio::time::{Instant, sleep};

use super::{view::ClusterView, watch::Watch};
use crate::{
    cluster::{Cluster, KafkaError},
    codes::error_name,
    wire::{Connection, Credentials, WireError},
};

/// Limit of one request.
pub(super) const LIMIT: Duration = Duration::from_secs(3);
/// How long a request is retried while the controller or a leader changes.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);
/// Open connections kept for each broker.
const KEPT: usize = 4;

/// Why a request failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// A broker could not be asked.
    #[error("broker {broker}: {cause}")]
    Wire { broker: u32, cause: Arc<WireError> },
    /// Kafka answered with an error.
    #[error("{what}: {error}")]
    Kafka {
        what: String,
        /// Kafka's error.
        error: KafkaError,
    },
    /// The partition has no leader now.
    #[error("{topic}/{partition} has no leader")]
    NoLeader { topic: String, partition: u32 },
    /// The cluster has no controller now.
    #[error("there is no controller now")]
    NoController,
    /// No such topic, partition, or part of an answer.
    #[error("there is no {0}")]
    Missing(String),
    /// No broker answers.
    #[error("no broker answers")]
    NobodyAnswers,
    /// A state was not reached in time.
    #[error("{what} (waited {limit:?})")]
    TimedOut {
        /// The wanted state, and the one that was found.
        what: String,
        limit: Duration,
    },
    /// This Kafka version or backend cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// ZooKeeper returned an error.
    #[error("ZooKeeper: {0}")]
    Zookeeper(String),
}

impl AskError {
    /// The controller or a leader is about to change: a retry may succeed.
    fn passes(&self) -> bool {
        match self {
            Self::Wire { cause, .. } => !cause.is_unsupported(),
            Self::Kafka { error, .. } => {
                let passing = ["NOT_CONTROLLER", "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT"];
                passing.contains(&error.code.as_str())
            }
            Self::NobodyAnswers | Self::NoController | Self::NoLeader { .. } => true,
            _ => false,
        }
    }
}

/// Asks again while the controller or a leader changes.
pub async fn patiently<T, R>(mut ask: impl FnMut() -> R) -> Result<T, AskError>
where
    R: Future<Output = Result<T, AskError>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.passes() && Instant::now() < deadline => sleep(PAUSE).await,
            other => return other,
        }
    }
}

/// The error if a view does not have a topic or partition: without any broker in reach nothing is known of it.
pub(super) fn absent(view: &ClusterView, what: String) -> AskError {
    if view.brokers_alive().is_empty() {
        return AskError::NobodyAnswers;
    }
    AskError::Missing(what)
}

/// Sends requests; connections are kept between requests. Cheap to clone.
#[derive(Clone)]
pub struct Asker {
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) watch: Arc<Watch>,
    pub(super) credentials: Credentials,
    idle: Arc<Mutex<BTreeMap<u32, Vec<Connection>>>>,
}

impl Asker {
    pub(super) fn new(
        cluster: Arc<dyn Cluster>,
        credentials: Credentials,
        watch: Arc<Watch>,
    ) -> Self {
        Self { cluster, watch, credentials, idle: Arc::default() }
    }

    /// Sends a request to `broker`; `build` makes it for the version that both sides support, at most
    /// `most`.
    /// Fails with [`AskError::Wire`].
    pub(super) async fn call<R: Request>(
        &self,
        broker: u32,
        most: i16,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, AskError> {
        self.call_within(broker, most, LIMIT, build).await
    }

    /// [`Self::call`] for requests that take the broker longer.
    pub(super) async fn call_within<R: Request>(
        &self,
        broker: u32,
        most: i16,
        limit: Duration,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, AskError> {
        let wire = |cause| AskError::Wire { broker, cause: Arc::new(cause) };
        // A kept connection may be older than the broker's last start: then a new one is tried.
        while let Some(mut connection) = self.kept(broker) {
            match ask(&mut connection, most, limit, &build).await {
                Err(WireError::Broken { .. }) => {}
                result => {
                    self.keep(broker, connection);
                    return result.map_err(wire);
                }
            }
        }
        let address = self.cluster.address(broker);
        let mut connection =
            Connection::open(&address, &self.credentials, LIMIT).await.map_err(wire)?;
        let result = ask(&mut connection, most, limit, &build).await;
        self.keep(broker, connection);
        result.map_err(wire)
    }

    /// Sends a request to the brokers that answer, one after the other, until one succeeds; brokers that the others
    /// do not list, which may be outdated, come last.
    /// Fails with the last broker's error, or with [`AskError::NobodyAnswers`].
    pub(super) async fn call_any<R: Request>(
        &self,
        most: i16,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, AskError> {
        let mut last = AskError::NobodyAnswers;
        for broker in answering(&self.watch.view()) {
            match self.call(broker, most, &build).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn kept(&self, broker: u32) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.get_mut(&broker)?.pop()
    }

    fn keep(&self, broker: u32, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(broker).or_default();
        if !connection.is_spoilt() && kept.len() < KEPT {
            kept.push(connection);
        }
    }

    /// Tests real reachability: an ApiVersions exchange on a new connection through the address that the
    /// broker advertises (or, if no broker lists it, its configured address). A published port
    /// accepts TCP even when nothing listens behind it.
    /// Fails with [`AskError::Wire`] with the reason.
    pub async fn listener_reachable(&self, broker: u32) -> Result<(), AskError> {
        let view = self.watch.view();
        let advertised = view.brokers.get(&broker).and_then(|b| b.advertised.clone());
        let address = advertised.unwrap_or_else(|| self.cluster.address(broker));
        let opened = Connection::open(&address, &self.credentials.anonymous(), LIMIT).await;
        opened.map(drop).map_err(|cause| AskError::Wire { broker, cause: Arc::new(cause) })
    }
}

async fn ask<R: Request>(
    connection: &mut Connection,
    most: i16,
    limit: Duration,
    build: &impl Fn(i16) -> R,
) -> Result<R::Response, WireError> {
    let version = connection.version::<R>(most)?;
    connection.call(&build(version), version, limit).await
}

/// Brokers that answer, those that are up to date before those that the others do not list.
pub(super) fn answering(view: &ClusterView) -> Vec<u32> {
    let mut answering: Vec<(bool, u32)> =
        view.brokers.iter().filter(|(_, b)| b.answers).map(|(n, b)| (!b.listed, *n)).collect();
    answering.sort_unstable();
    answering.into_iter().map(|(_, broker)| broker).collect()
}

/// Kafka's error, if `code` is one.
pub(super) fn check(code: i16, message: Option<&StrBytes>, what: &str) -> Result<(), AskError> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => Err(AskError::Kafka {
            what: what.to_owned(),
            error: KafkaError {
                message: message.map_or_else(|| error.to_string(), ToString::to_string),
                code: error_name(error),
            },
        }),
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
