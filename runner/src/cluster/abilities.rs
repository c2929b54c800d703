//! What can be done to a cluster, by ability: what a backend cannot do it has no ability for.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use kplan_dsl::value::DataFate;

use super::{
    Acted, AdminError, Death, Listening, Network, Node, NodeState, RigError, TopicChange,
    TopicSpec, Version,
};

/// The processes of its nodes. All operations have limits; several nodes are signalled together and then
/// waited for together (combined KRaft nodes started one by one deadlock on their quorum). "Started" means
/// that the process runs; whether it joined is observed by the [`crate::observer`].
#[async_trait]
pub trait NodeLife: Send + Sync {
    /// SIGKILL; a node that is dead already stays so without an error. Returns when it is dead.
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError>;
    /// Graceful shutdown, SIGKILL after `limit` (then an error says so).
    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError>;
    /// Starts what was killed or stopped; what runs is left alone.
    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError>;
    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError>;
    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError>;
    /// What the process does now.
    async fn state(&self, node: Node) -> Result<NodeState, RigError>;
    /// An error ([`RigError::NodeExited`]) when a node has ended that was neither killed nor stopped,
    /// and another when the engine does not answer or the node is not there any more. Cheap enough to be asked
    /// in every round of a wait.
    async fn check(&self) -> Result<(), RigError> {
        Ok(())
    }
    /// How a dead node ended, with its log's last lines; none while it lives.
    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError>;
}

/// Other versions of Kafka on the data that is there.
#[async_trait]
pub trait UpgradeAbility: Send + Sync {
    /// Starts what was killed or stopped with another version of Kafka and the data it had. Needs
    /// [`super::ClusterSpec::exchangeable`].
    async fn exchange(&self, nodes: &[Node], version: &Version) -> Result<(), RigError>;
}

/// The network between the nodes.
#[async_trait]
pub trait NetworkAbility: Send + Sync {
    /// Makes it as wished, with nothing else wrong with it, and keeps it so over restarts. Returns when it is
    /// so, with when it became so; what is dead gets its part when it starts.
    async fn set_network(&self, network: &Network) -> Result<Acted, RigError>;
    /// Tries whether it is as it was last made: an error names what goes through and should not, what does
    /// not and should (`before` was wrong before), or a bad line that cannot be felt.
    async fn try_network(&self, before: &Network) -> Result<(), RigError>;
}

/// The disks of the brokers.
#[async_trait]
pub trait DiskAbility: Send + Sync {
    /// Takes all space of a broker's disk but `leave` bytes; returns when it was taken. Needs
    /// [`super::ClusterSpec::disk`].
    async fn take_space(&self, node: Node, leave: u64) -> Result<Acted, RigError>;
    /// Gives back what [`Self::take_space`] took; returns what is free then.
    async fn give_space(&self, node: Node) -> Result<u64, RigError>;
    /// Copies the segment files of a partition from a broker's disk into a directory, as they are now,
    /// whether the broker lives or not; answers their paths, none where it holds no such partition.
    /// An error when they have more than `most` bytes.
    async fn segments(
        &self,
        broker: u32,
        partition: (&str, u32),
        into: &Path,
        most: u64,
    ) -> Result<Vec<PathBuf>, RigError>;
}

/// The hosts that the brokers run on.
#[async_trait]
pub trait HostAbility: Send + Sync {
    /// Ports that the broker is configured to listen on inside its host.
    fn listener_ports(&self, broker: u32) -> Vec<u16>;
    /// The socket table inside the broker's host (LISTEN only).
    async fn sockets(&self, broker: u32) -> Result<Vec<Listening>, RigError>;
}

/// What the nodes log.
pub trait LogAbility: Send + Sync {
    /// The file that a node's output goes to now; none where there is no such node.
    fn log_file(&self, node: Node) -> Option<PathBuf>;
    /// Another suite goes on with this cluster: what its nodes write from now on goes below its directory. Only asked
    /// where the backend [hands clusters on](super::backend::Backend::hands_on).
    fn move_logs(&self, _dir: &Path) {}
}

/// Topics and groups.
#[async_trait]
pub trait TopicAdmin: Send + Sync {
    /// Creates a topic (returns when Kafka accepted it): [`AdminError::Kafka`] with Kafka's name of the error,
    /// e.g. `INVALID_REPLICATION_FACTOR`, or the client's, e.g. `_TRANSPORT`, when no broker answered;
    /// [`AdminError::Impossible`] when no request can be made of it.
    async fn create_topic(&self, topic: &TopicSpec) -> Result<(), AdminError>;
    async fn delete_topic(&self, name: &str) -> Result<(), AdminError>;
    /// Adds partitions and sets settings.
    async fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<(), AdminError>;
    /// Deletes consumer groups that nobody is a member of; one that is not there is no error.
    async fn delete_groups(&self, names: &[String]) -> Result<(), AdminError>;
    /// A consumer group of this name is about to be used. Kafka needs no such word; where kplan
    /// plays the controller, only groups it heard of move away from a dead coordinator.
    fn expect_group(&self, _group: &str) {}
}
