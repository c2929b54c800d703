//! Commands where the disks of nodes are, whether the nodes are alive or dead.

use async_trait::async_trait;

use super::super::{ClusterSpec, Node, RigError};
use super::command::Output;

/// Commands where the disks of nodes are. What is done to disks there is the same for every backend that has it.
#[async_trait]
pub trait DiskShell: Send + Sync {
    /// The backend's name.
    fn named(&self) -> &'static str;
    fn built(&self) -> &ClusterSpec;
    /// The directory of a node's data there.
    fn data_dir(&self, node: Node) -> String;
    /// The directory of what the preloaded object of a node needs.
    fn preload_dir(&self, node: Node) -> String;
    /// Runs a bash script where a node's disk is.
    async fn at_disk(&self, node: Node, script: &str) -> Result<Output, RigError>;
}
