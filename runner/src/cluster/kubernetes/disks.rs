//! The disks of pods: a pod outlives its node, so scripts run in the container of the node itself.

use async_trait::async_trait;

use super::super::{
    ClusterSpec, Node, RigError,
    addresses::HOME,
    contained::{command::Output, preloads::PRELOAD, shell::DiskShell},
};
use super::{KubernetesCluster, NAME};

#[async_trait]
impl DiskShell for KubernetesCluster {
    fn named(&self) -> &'static str {
        NAME
    }

    fn built(&self) -> &ClusterSpec {
        &self.spec
    }

    fn data_dir(&self, _: Node) -> String {
        format!("{HOME}/data")
    }

    fn preload_dir(&self, _: Node) -> String {
        PRELOAD.to_owned()
    }

    async fn at_disk(&self, node: Node, script: &str) -> Result<Output, RigError> {
        self.api.script(&self.node(node)?.pod, script).await
    }
}
