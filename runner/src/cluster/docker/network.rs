//! The network between containers: rules inside each container.

use std::{collections::BTreeSet, fmt::Display};

use async_trait::async_trait;
use bollard::query_parameters::InspectNetworkOptions;
use futures::future::try_join_all;

use super::super::{
    Acted, Network, NetworkAbility, Node, RigError, ServiceLine,
    contained::{
        command::Output,
        network::{self, Applied, NetworkShell, Places},
    },
};
use super::{DockerCluster, NAME, engine::failed, exec};

#[async_trait]
impl NetworkAbility for DockerCluster {
    async fn set_network(&self, network: &Network) -> Result<Acted, RigError> {
        network::set(self, network).await
    }

    async fn try_network(&self, before: &Network) -> Result<(), RigError> {
        network::prove(self, before).await
    }

    async fn set_line(
        &self,
        container: &str,
        line: &ServiceLine,
        before: &ServiceLine,
    ) -> Result<Acted, RigError> {
        self.change_line(container, line, before).await
    }
}

#[async_trait]
impl NetworkShell for DockerCluster {
    fn applied(&self) -> &tokio::sync::Mutex<Applied> {
        &self.net
    }

    async fn places(&self) -> Result<Places, RigError> {
        let network = &self.blueprint.at.prefix;
        let look = self.nodes.iter().map(|node| node.place(self.docker(), network));
        let found = try_join_all(look).await?;
        let named =
            self.nodes.iter().zip(found).filter_map(|(node, place)| Some((node.node, place?)));
        Ok(named.collect())
    }

    async fn in_network(&self, node: Node, script: &str) -> Result<Output, RigError> {
        exec::script(self.docker(), &self.node(node)?.name, script).await
    }

    fn not_changed(&self, whose: &(dyn Display + Sync), script: &str, text: &str) -> RigError {
        network::not_changed(NAME, whose, script, text)
    }
}

impl DockerCluster {
    /// Checks that the network exists and contains every living node: the plan's own faults are rules inside
    /// the containers and disconnect no container.
    pub(super) async fn stands_in_network(&self) -> Result<(), RigError> {
        let network = &self.blueprint.at.prefix;
        let options = None::<InspectNetworkOptions>;
        let there = self.docker().inspect_network(network, options).await;
        let there = there.map_err(|error| failed("inspect the brokers' network", &error))?;
        let inside = there.containers.unwrap_or_default();
        let inside: BTreeSet<String> = inside.into_values().filter_map(|c| c.name).collect();
        for node in self.nodes.iter().filter(|n| n.looks_alive() && !inside.contains(&n.name)) {
            // It may have ended, or started, between the two looks.
            if node.is_outside(self.docker(), network).await? {
                return Err(RigError::Other(format!(
                    "{} was disconnected from the brokers' network, and not by kplan",
                    node.node
                )));
            }
        }
        Ok(())
    }
}
