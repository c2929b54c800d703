//! Real Kafka in containers, over the engine's API (bollard).
//!
//! Every node is a container in a network of the cluster's own; brokers and ZooKeeper are
//! published on 127.0.0.1, on ports that are chosen before the start and kept over restarts.
//! Restarting is starting the same container again, so a broker keeps its data; a lost disk is a
//! new container in its place.

use std::{collections::BTreeMap, sync::Mutex};

use bollard::Docker;
use futures::future::{join_all, try_join_all};

mod backend;
pub mod cleanup;
mod disks;
mod engine;
mod exec;
mod lifecycle;
mod lines;
mod logs;
mod network;
mod node;
mod pulse;
mod reach;
mod segments;
mod services;
mod signals;
mod subnet;
mod trial;

pub use backend::DockerBackend;

use self::{
    engine::{Image, connect, describe, find_image},
    node::{Blueprint, DockerNode},
};
use super::{
    ClusterSpec, Node, NodeLife as _, Quorum, RigError,
    addresses::{self, Addresses},
    admin::Topics,
    config,
    contained::{Secured, network::Applied, prefix},
    ending, ports, sockets, storage, zookeeper,
};
use crate::processes;

const NAME: &str = "docker";
/// A cluster of containers. Dropping it removes nothing (that needs a runtime, and time): call
/// [`super::Cluster::destroy`]; [`cleanup::remove_run`] removes what a crash leaves.
pub struct DockerCluster {
    blueprint: Blueprint,
    nodes: Vec<DockerNode>,
    topics: Topics,
    net: tokio::sync::Mutex<Applied>,
    pulse: pulse::Pulse,
    /// Ports of services.
    reserved: Mutex<Vec<ports::Reserved>>,
}

impl DockerCluster {
    /// Starts every node at once (ZooKeeper a moment before its brokers).
    ///
    /// # Errors
    /// As [`super::backend::Backend::launch`]; then everything of this cluster is removed again. When this future
    /// is dropped half way, only [`cleanup::remove_run`] removes what was started.
    pub async fn launch(spec: ClusterSpec) -> Result<Self, RigError> {
        config::refuse(&spec, NAME)?;
        let docker = connect().await?;
        let image = find_image(&docker, &spec.version, spec.image.as_deref()).await?;
        let logs = spec.dir.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| {
            RigError::Other(format!("cannot create the directory {}: {error}", logs.display()))
        })?;
        let secured = Secured::new(&spec)?;
        let mut blueprint = blueprint(spec, docker, image, secured);
        let started = match subnet::create(&blueprint).await {
            Ok(subnet) => {
                (blueprint.ips, blueprint.gateway) = (subnet.nodes, subnet.gateway);
                start_nodes(&blueprint).await
            }
            Err(error) => Err(error),
        };
        let cluster = match started {
            Ok(nodes) => Self::assemble(blueprint, nodes),
            Err(error) => {
                undo(&blueprint).await;
                return Err(error);
            }
        };
        match cluster.check().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                undo(&cluster.blueprint).await;
                Err(error)
            }
        }
    }

    fn assemble(blueprint: Blueprint, nodes: Vec<DockerNode>) -> Self {
        let addresses: Vec<String> = nodes
            .iter()
            .filter(|node| matches!(node.node, Node::Broker(_)))
            .map(|node| blueprint.at.published(node.host_port()))
            .collect();
        let own = blueprint.secured.as_ref().map(|s| s.access.own_config()).unwrap_or_default();
        let topics = Topics::new(&addresses.join(","), &own);
        let pulse = pulse::Pulse::feel(blueprint.docker.clone());
        let net = tokio::sync::Mutex::default();
        Self { blueprint, nodes, topics, net, pulse, reserved: Mutex::default() }
    }

    fn docker(&self) -> &Docker {
        &self.blueprint.docker
    }

    fn node(&self, node: Node) -> Result<&DockerNode, RigError> {
        self.nodes
            .iter()
            .find(|each| each.node == node)
            .ok_or_else(|| RigError::Other(format!("there is no {node} in this cluster")))
    }

    fn some(&self, nodes: &[Node]) -> Result<Vec<&DockerNode>, RigError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }
}

fn blueprint(
    spec: ClusterSpec,
    docker: Docker,
    image: Image,
    secured: Option<Secured>,
) -> Blueprint {
    let checkpoint = match spec.mode {
        Quorum::Zookeeper => None,
        Quorum::KraftCombined | Quorum::KraftSeparate(_) => storage::load(&image.id),
    };
    let labels = BTreeMap::from(
        [
            (cleanup::RUN_LABEL, spec.run.clone()),
            (cleanup::CLUSTER_LABEL, spec.name.clone()),
            (cleanup::OWNER_LABEL, processes::owner()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let at = Addresses {
        prefix: prefix(&spec),
        cluster_id: storage::random_id(),
        ..Addresses::default()
    };
    let (ips, gateway) = (BTreeMap::new(), None);
    Blueprint { spec, docker, at, ips, gateway, image, labels, checkpoint, secured }
}

async fn start_nodes(blueprint: &Blueprint) -> Result<Vec<DockerNode>, RigError> {
    disks::create(blueprint).await?;
    let (first, others): (Vec<Node>, Vec<Node>) = config::nodes(&blueprint.spec)
        .into_iter()
        .partition(|node| matches!(node, Node::Zookeeper(_)));
    // Old ZooKeeper clients look their server's address up only once.
    let launch = |node| DockerNode::launch(blueprint, node);
    let first = try_join_all(first.into_iter().map(launch)).await?;
    // Waits for all of them: a removal must not race with a start that is still under way.
    let started = join_all(others.into_iter().map(launch)).await;
    let mut nodes = started.into_iter().collect::<Result<Vec<_>, _>>()?;
    nodes.extend(first);
    Ok(nodes)
}

/// Removes whatever exists of a cluster that could not be started; the error is already known, and
/// what cannot be removed now is removed with the run.
async fn undo(blueprint: &Blueprint) {
    let _ = cleanup::remove(&blueprint.docker, &labels_of(&blueprint.spec), 1).await;
}

/// Labels that only this cluster's containers and network carry together.
fn labels_of(spec: &ClusterSpec) -> Vec<String> {
    vec![
        format!("{}={}", cleanup::RUN_LABEL, spec.run),
        format!("{}={}", cleanup::CLUSTER_LABEL, spec.name),
    ]
}
