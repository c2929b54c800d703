//! The network between pods: rules in each pod's network, set by a container of the pod that only sleeps and has the
//! privilege for it.

use std::fmt::Display;

use async_trait::async_trait;

use super::super::{
    Acted, Network, NetworkAbility, Node, RigError, ServiceLine,
    contained::{
        command::Output,
        network::{self, Applied, NetworkPlace, NetworkShell, Places},
    },
};
use super::{KubernetesCluster, NAME, api::NETWORK_CONTAINER};

#[async_trait]
impl NetworkAbility for KubernetesCluster {
    async fn set_network(&self, network: &Network) -> Result<Acted, RigError> {
        network::set(self, network).await
    }

    async fn try_network(&self, before: &Network) -> Result<(), RigError> {
        network::prove(self, before).await
    }

    async fn set_line(
        &self,
        container: &str,
        _line: &ServiceLine,
        _before: &ServiceLine,
    ) -> Result<Acted, RigError> {
        let what = format!("disturb the network of {container}, which is no node");
        Err(RigError::Unsupported { backend: NAME, what })
    }
}

#[async_trait]
impl NetworkShell for KubernetesCluster {
    fn applied(&self) -> &tokio::sync::Mutex<Applied> {
        &self.net
    }

    /// A pod keeps its network whatever its node does.
    async fn places(&self) -> Result<Places, RigError> {
        let place = |address| NetworkPlace { address, paused: false };
        Ok(self.nodes.iter().map(|one| (one.node, place(one.address))).collect())
    }

    async fn in_network(&self, node: Node, script: &str) -> Result<Output, RigError> {
        let pod = &self.node(node)?.pod;
        self.api.run(pod, NETWORK_CONTAINER, &["/bin/bash", "-c", script], true).await
    }

    fn not_changed(&self, whose: &(dyn Display + Sync), script: &str, text: &str) -> RigError {
        network::not_changed(NAME, whose, script, text)
    }
}
