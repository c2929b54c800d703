//! Clusters: the operations that every backend offers. Nothing here assumes containers.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{
    Capability,
    value::{FIRST_BROKER, broker_numbers},
};
use serde::{Deserialize, Serialize};

use crate::client::routes::Router;

mod abilities;
mod acted;
mod addresses;
pub mod admin;
pub mod backend;
pub mod certificates;
mod config;
#[cfg(test)]
mod config_tests;
mod contained;
mod damage;
mod disk_calls;
pub mod docker;
pub mod embedded;
mod ending;
mod error;
pub mod external;
pub mod kubernetes;
pub mod local;
mod network;
mod ports;
mod preload;
pub mod security;
mod sockets;
mod storage;
mod version;
mod zookeeper;

pub use abilities::{
    ClockAbility, ContainerAbility, DiskAbility, DiskCallAbility, FileAbility, HostAbility,
    LogAbility, Membership, NetworkAbility, NodeLife, PowerAbility, TopicAdmin, UpgradeAbility,
};
pub use acted::Acted;
pub use disk_calls::{CallDelays, CallErrors, CallFaults, CallsMet, counted};
pub use ending::Death;
pub use error::{AdminError, KafkaError, RigError};
pub use network::{Link, Network, ServiceLine};
pub use preload::{NotSynced, Preload, Skew};
use security::{Access, Security};
pub use version::Version;

/// One process of a cluster. Brokers are numbered from 1 unless the plan says otherwise, controllers of their own
/// from 101, ZooKeeper nodes from 1. A cluster that exists has any numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A broker (in combined KRaft mode a controller too).
    Broker(u32),
    /// A KRaft controller of its own.
    Controller(u32),
    Zookeeper(u32),
}

impl Node {
    /// Its name in files, containers and the label `kplan.node`:
    /// `broker-1`, `controller-101`, `zookeeper-1`.
    pub fn slug(&self) -> String {
        match self {
            Self::Broker(n) => format!("broker-{n}"),
            Self::Controller(n) => format!("controller-{n}"),
            Self::Zookeeper(n) => format!("zookeeper-{n}"),
        }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broker(n) => write!(f, "broker {n}"),
            Self::Controller(n) => write!(f, "controller {n}"),
            Self::Zookeeper(n) => write!(f, "zookeeper {n}"),
        }
    }
}

/// How the cluster keeps its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quorum {
    /// KRaft, every broker a controller too.
    KraftCombined,
    /// KRaft, this many controllers of their own.
    KraftSeparate(u32),
    Zookeeper,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// The run's id; the value of the label `kplan.run`.
    pub run: String,
    /// Distinguishes the clusters of one run (part of names); short, `[a-z0-9-]`.
    pub name: String,
    /// Kafka's version.
    pub version: Version,
    pub mode: Quorum,
    pub brokers: u32,
    /// The number of the first broker, if the plan says it.
    pub first_broker: Option<u32>,
    /// Broker settings for all.
    pub config: IndexMap<String, String>,
    /// Broker settings for one.
    pub broker_config: BTreeMap<u32, IndexMap<String, String>>,
    /// JVM options for brokers.
    pub jvm: Vec<String>,
    /// Image template with `{version}`, or none for the default.
    pub image: Option<String>,
    pub racks: BTreeMap<u32, String>,
    /// Size of each broker's disk in bytes, if the plan fills it; none: no limit.
    pub disk: Option<u64>,
    /// The plan will start nodes with another version on their data.
    pub exchangeable: bool,
    /// The plan will change files of nodes, of dead ones too.
    pub damaged: bool,
    /// What kplan's own object does in its processes.
    pub preload: Preload,
    /// Limits of its nodes on this machine.
    pub bounds: Bounds,
    /// The plan gives and takes permissions: the nodes have Kafka's authorizer.
    pub authorizer: bool,
    /// The plan changes settings of running brokers.
    pub dynamic: bool,
    /// How the clients' listener is secured; none: not secured.
    #[serde(skip)]
    pub security: Option<Security>,
    /// The suite's directory: broker logs go to `logs/<node>.log` below it.
    pub dir: PathBuf,
}

impl ClusterSpec {
    /// The numbers of the brokers, in a cluster that kplan starts.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + Clone {
        broker_numbers(self.first_broker.unwrap_or(FIRST_BROKER), self.brokers)
    }
}

/// Limits of a cluster's nodes on this machine, where the backend can enforce them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes of memory of each node; none: no limit.
    pub memory: Option<u64>,
    /// The plan disturbs the network, for which a node needs a privilege.
    pub network_faults: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: None, network_faults: true }
    }
}

/// The state of a node's process, as the backend sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// The process runs.
    Running,
    /// The process is paused.
    Paused,
    /// There is no process: killed, stopped or exited by itself.
    Dead,
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    pub name: String,
    /// Replicas (broker numbers, the preferred leader first) by partition, or counts.
    pub placement: Placement,
    /// Topic settings.
    pub config: IndexMap<String, String>,
}

/// Where a topic's replicas go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Kafka chooses.
    Counts { partitions: u32, replicas: u32 },
    /// The plan chooses; index is the partition.
    Assignment(Vec<Vec<u32>>),
}

/// What to change about a topic; a field that is none is not changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicChange {
    /// The new number of partitions (Kafka never removes any).
    pub partitions: Option<u32>,
    /// Settings to set; the others stay as they are.
    pub config: IndexMap<String, String>,
}

/// A listening socket inside a node's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    pub port: u16,
    /// True when it stands in the IPv6 table (a dual-stack socket does).
    pub ipv6: bool,
}

/// One running cluster of one backend: its nodes, their addresses, its users, and what can be done to it.
#[async_trait]
pub trait Cluster: NodeLife {
    /// The backend's name: `docker`, `embedded`, `local`, `external`.
    fn backend(&self) -> &'static str;
    /// True if the cluster is simulated.
    fn simulated(&self) -> bool {
        false
    }
    /// True if the cluster existed before the plan and stays after it: kplan ends its processes only by the
    /// plan's own steps.
    fn borrowed(&self) -> bool {
        false
    }
    fn spec(&self) -> &ClusterSpec;
    /// Every node, brokers first.
    fn nodes(&self) -> Vec<Node>;
    /// The numbers of its brokers, as the cluster has them.
    fn brokers(&self) -> Vec<u32> {
        let number = |node| if let Node::Broker(id) = node { Some(id) } else { None };
        self.nodes().into_iter().filter_map(number).collect()
    }
    /// `127.0.0.1:PORT` where this machine's clients reach a broker; the same over restarts.
    fn address(&self, broker: u32) -> String;
    /// Where connections of librdkafka's clients go; none: to the advertised addresses.
    fn router(&self) -> Option<Arc<Router>> {
        None
    }
    /// `HOST:PORT` of each controller listener that this machine reaches, by the node's number (KRaft).
    fn controller_addresses(&self) -> Vec<(u32, String)> {
        Vec::new()
    }
    /// librdkafka settings with which kplan logs in there, in the order in which they are tried.
    fn controller_configs(&self) -> Vec<IndexMap<String, String>> {
        vec![IndexMap::new()]
    }
    /// ZooKeeper's `127.0.0.1:PORT`, in ZooKeeper mode.
    fn zookeeper_address(&self) -> Option<String> {
        None
    }
    /// What clients need to log in; none if no login is required.
    fn access(&self) -> Option<&Access> {
        None
    }
    /// librdkafka settings with which kplan's own clients log in.
    fn client_config(&self) -> IndexMap<String, String> {
        self.access().map(Access::own_config).unwrap_or_default()
    }
    /// librdkafka settings with which a plan's client logs in.
    fn user_config(&self, user: Option<&str>) -> Result<IndexMap<String, String>, RigError> {
        match (self.access(), user) {
            (Some(access), user) => access.user_config(user),
            (None, None) => Ok(self.client_config()),
            (None, Some(user)) => Err(RigError::Other(format!("the cluster has no user {user}"))),
        }
    }
    /// The node's configuration as it was written, for the report; none where there is no file.
    fn effective_config(&self, _node: Node) -> Option<String> {
        None
    }
    /// Its topics and groups.
    fn topics(&self) -> &dyn TopicAdmin;
    fn upgrades(&self) -> Result<&dyn UpgradeAbility, RigError> {
        Err(self.cannot(Capability::Upgrade))
    }
    fn network(&self) -> Result<&dyn NetworkAbility, RigError> {
        Err(self.cannot(Capability::NetworkPartition))
    }
    fn disks(&self) -> Result<&dyn DiskAbility, RigError> {
        Err(self.cannot(Capability::Disks))
    }
    fn files(&self) -> Result<&dyn FileAbility, RigError> {
        Err(self.cannot(Capability::DamageFiles))
    }
    fn disk_calls(&self) -> Result<&dyn DiskCallAbility, RigError> {
        Err(self.cannot(Capability::DiskCalls))
    }
    fn clocks(&self) -> Result<&dyn ClockAbility, RigError> {
        Err(self.cannot(Capability::SkewClock))
    }
    fn power(&self) -> Result<&dyn PowerAbility, RigError> {
        Err(self.cannot(Capability::PowerLoss))
    }
    fn hosts(&self) -> Result<&dyn HostAbility, RigError> {
        Err(self.cannot(Capability::Listeners))
    }
    fn logs(&self) -> Result<&dyn LogAbility, RigError> {
        Err(self.cannot(Capability::BrokerLogs))
    }
    fn containers(&self) -> Result<&dyn ContainerAbility, RigError> {
        Err(self.cannot(Capability::Containers))
    }
    /// The error for an ability that the backend does not have.
    fn cannot(&self, what: Capability) -> RigError {
        RigError::Unsupported { backend: self.backend(), what: what.text().to_owned() }
    }
    /// Returns when it is certain that this machine cannot reach a broker that runs and listens, which no wait
    /// changes; does not return otherwise. Only while the cluster starts: a fault of the plan looks the same.
    async fn out_of_reach(&self) -> RigError {
        std::future::pending().await
    }
    /// Leaves a [borrowed](Self::borrowed) cluster as it was found, and returns what was done for that.
    async fn give_back(&self) -> Result<Vec<String>, RigError> {
        Ok(Vec::new())
    }
    /// Removes everything that belongs to it.
    async fn destroy(&self) -> Result<(), RigError>;
}
