//! What can be done to a cluster, one trait for each ability: a backend lacks the abilities that it cannot provide.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use kplan_dsl::value::DataFate;

use super::{
    Acted, AdminError, CallFaults, CallsMet, Death, Listening, Network, Node, NodeState, NotSynced,
    RigError, ServiceLine, Skew, TopicChange, TopicSpec, Version,
};
use crate::segments::{DiskFile, FileEdit};

/// The processes of a cluster's nodes. All operations have limits; several nodes are signalled together and then
/// waited for together (combined KRaft nodes started one by one deadlock on their quorum). "Started" means
/// that the process runs; the [`crate::observer`] observes whether it joined the cluster.
#[async_trait]
pub trait NodeLife: Send + Sync {
    /// Sends SIGKILL and waits until the nodes are dead. A node that is dead already is no error.
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError>;
    /// Shuts down gracefully; after `limit` sends SIGKILL and returns an error.
    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError>;
    /// Starts nodes that were killed or stopped; does nothing for a running node.
    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError>;
    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError>;
    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError>;
    /// What the process does now.
    async fn state(&self, node: Node) -> Result<NodeState, RigError>;
    /// Fails with [`RigError::NodeExited`] when a node has ended that was neither killed nor stopped, and with
    /// another error when the engine does not answer or the node no longer exists. Cheap enough to be called
    /// in every round of a wait.
    async fn check(&self) -> Result<(), RigError> {
        Ok(())
    }
    /// How a dead node ended, with the last lines of its log; none while it is alive.
    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError>;
}

/// Starting nodes with another version of Kafka on their existing data.
#[async_trait]
pub trait UpgradeAbility: Send + Sync {
    /// Starts nodes that were killed or stopped with another version of Kafka, on the data they had. Needs
    /// [`super::ClusterSpec::exchangeable`].
    async fn exchange(&self, nodes: &[Node], version: &Version) -> Result<(), RigError>;
}

/// The network between the nodes.
#[async_trait]
pub trait NetworkAbility: Send + Sync {
    /// Sets the network to exactly these faults, and keeps them over restarts of nodes. Returns when they are in
    /// force, with the time since when they are; a dead node gets its rules when it starts.
    async fn set_network(&self, network: &Network) -> Result<Acted, RigError>;
    /// Tests whether the network is as it was last set: an error names a connection that passes and should not, one
    /// that should pass and does not (`before` are the earlier faults), or a degraded link without effect.
    async fn try_network(&self, before: &Network) -> Result<(), RigError>;
    /// Sets what is wrong between a container that is no node and the nodes, as soon as the container runs, and tests
    /// it as [`Self::try_network`] does. It is lost with the container.
    async fn set_line(
        &self,
        container: &str,
        line: &ServiceLine,
        before: &ServiceLine,
    ) -> Result<Acted, RigError>;
}

/// The disks of the brokers.
#[async_trait]
pub trait DiskAbility: Send + Sync {
    /// Fills a broker's disk up to `leave` free bytes; returns when the space was taken. Needs
    /// [`super::ClusterSpec::disk`].
    async fn take_space(&self, node: Node, leave: u64) -> Result<Acted, RigError>;
    /// Frees what [`Self::take_space`] took; returns the free bytes afterwards.
    async fn give_space(&self, node: Node) -> Result<u64, RigError>;
    /// Copies the current segment files of a partition from a broker's disk into a directory, whether the broker is
    /// alive or not; returns their paths, none if the broker has no such partition.
    /// Fails when they have more than `most` bytes.
    async fn segments(
        &self,
        broker: u32,
        partition: (&str, u32),
        into: &Path,
        most: u64,
    ) -> Result<Vec<PathBuf>, RigError>;
}

/// The files of partitions on the disks of nodes, which may be alive or dead. Needs [`super::ClusterSpec::damaged`].
#[async_trait]
pub trait FileAbility: Send + Sync {
    /// The files of a partition; none if the node has no such partition.
    async fn of_partition(
        &self,
        node: Node,
        partition: (&str, u32),
    ) -> Result<Option<Vec<DiskFile>>, RigError>;
    /// Changes one of them. Returns what its range held before, and what is read there afterwards.
    async fn edit(
        &self,
        node: Node,
        partition: (&str, u32),
        edit: &FileEdit,
    ) -> Result<(Vec<u8>, Vec<u8>), RigError>;
}

/// The power of the nodes. Needs [`super::Preload::power`].
#[async_trait]
pub trait PowerAbility: Send + Sync {
    /// Fails if it is not known what these nodes, which run, have synced since their start: a power loss would prove
    /// nothing.
    async fn follows(&self, nodes: &[Node]) -> Result<(), RigError>;
    /// Leaves dead nodes what they had synced and nothing else; one with a seed also a share of the rest, which the seed
    /// chooses. Returns what each lost. A node that has lost its power already keeps what it has, and is not among them.
    async fn cut_power(
        &self,
        nodes: &BTreeMap<Node, Option<u64>>,
    ) -> Result<BTreeMap<Node, NotSynced>, RigError>;
}

/// The calls of nodes on the files below their data directories. Needs [`super::Preload::disks`].
#[async_trait]
pub trait DiskCallAbility: Send + Sync {
    /// Sets what befalls these calls of a node from now on, also over restarts. Returns when it was set.
    async fn set_calls(&self, node: Node, faults: &CallFaults) -> Result<Acted, RigError>;
    /// How many calls of a node were met by faults since its first start.
    async fn calls_met(&self, node: Node) -> Result<CallsMet, RigError>;
}

/// The clocks of the nodes. Needs [`super::Preload::clocks`].
#[async_trait]
pub trait ClockAbility: Send + Sync {
    /// Makes the wall clocks of nodes wrong, or right again, also over restarts. Returns when each node that runs has been
    /// given a wrong time.
    async fn skew(&self, nodes: &[Node], skew: Skew) -> Result<Acted, RigError>;
}

/// The hosts that the brokers run on.
#[async_trait]
pub trait HostAbility: Send + Sync {
    /// Ports that the broker is configured to listen on inside its host.
    fn listener_ports(&self, broker: u32) -> Vec<u16>;
    /// The socket table inside the broker's host (LISTEN only).
    async fn sockets(&self, broker: u32) -> Result<Vec<Listening>, RigError>;
}

/// Containers of the plan's services in the network of the nodes.
#[async_trait]
pub trait ContainerAbility: Send + Sync {
    /// What a container needs to join the network. Fails if this cluster has no listener for it.
    fn membership(&self) -> Result<Membership, RigError>;
    /// Fails with [`RigError::Missing`] if the engine does not have this image. It is never pulled.
    async fn has_image(&self, image: &str) -> Result<(), RigError>;
    /// A port of this machine, kept free for as long as the cluster exists.
    fn reserve_port(&self) -> Result<u16, RigError>;
}

/// What a container needs to join the cluster's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub network: String,
    /// The labels by which everything of the cluster is removed.
    pub labels: BTreeMap<String, String>,
    /// The brokers' addresses in the network, separated by commas.
    pub bootstrap: String,
    /// This machine's address in that network, if the engine runs on it.
    pub gateway: Option<Ipv4Addr>,
    /// The most bytes of memory of a container.
    pub memory: Option<i64>,
}

/// What the nodes log.
pub trait LogAbility: Send + Sync {
    /// The file that a node's output is written to now; none if there is no such node.
    fn log_file(&self, node: Node) -> Option<PathBuf>;
    /// Another suite goes on with this cluster: from now on the output of its nodes is written below that suite's
    /// directory. Only called where the backend [hands clusters on](super::backend::Backend::hands_on).
    fn move_logs(&self, _dir: &Path) {}
}

/// Topics and groups.
#[async_trait]
pub trait TopicAdmin: Send + Sync {
    /// Creates a topic (returns when Kafka accepted it). Fails with [`AdminError::Kafka`] and Kafka's name of the
    /// error, e.g. `INVALID_REPLICATION_FACTOR`, or the client's, e.g. `_TRANSPORT`, when no broker answered;
    /// with [`AdminError::Impossible`] when no request can be made from it.
    async fn create_topic(&self, topic: &TopicSpec) -> Result<(), AdminError>;
    async fn delete_topic(&self, name: &str) -> Result<(), AdminError>;
    /// Adds partitions and sets settings.
    async fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<(), AdminError>;
    /// Deletes consumer groups without members; a group that does not exist is no error.
    async fn delete_groups(&self, names: &[String]) -> Result<(), AdminError>;
    /// Announces that a consumer group of this name is about to be used. Kafka does not need it; where kplan
    /// simulates the controller, only announced groups move away from a dead coordinator.
    fn expect_group(&self, _group: &str) {}
}
