//! Containers of the plan's services.

use std::sync::PoisonError;

use async_trait::async_trait;

use super::super::{
    Cluster as _, ContainerAbility, Membership, Node, RigError, addresses::Purpose, ports,
};
use super::{DockerCluster, NAME, config, engine};

#[async_trait]
impl ContainerAbility for DockerCluster {
    fn membership(&self) -> Result<Membership, RigError> {
        let (spec, at) = (self.spec(), &self.blueprint.at);
        // Without named listeners none in the network is for clients.
        if config::is_nameless(spec) {
            let what = format!("run services as containers with Kafka {}", spec.version);
            return Err(RigError::Unsupported { backend: NAME, what });
        }
        let purpose = match config::has_services_listener(spec, at) {
            true => Purpose::Services,
            false => Purpose::Internal,
        };
        let brokers = self.brokers().into_iter().map(Node::Broker);
        let reached: Vec<String> = brokers.map(|b| at.reached(b, purpose)).collect();
        Ok(Membership {
            network: at.prefix.clone(),
            labels: self.blueprint.labels.clone(),
            bootstrap: reached.join(","),
            gateway: self.blueprint.gateway,
            memory: spec.bounds.memory.and_then(|bytes| i64::try_from(bytes).ok()),
        })
    }

    async fn has_image(&self, image: &str) -> Result<(), RigError> {
        engine::has_image(self.docker(), image).await
    }

    fn reserve_port(&self) -> Result<u16, RigError> {
        let reserved = ports::reserve()?;
        let port = reserved.port;
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).push(reserved);
        Ok(port)
    }
}
