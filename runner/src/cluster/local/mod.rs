//! Real Kafka as processes on this machine: needs Java and Kafka's jars, and no container engine.
//!
//! Every node is a JVM in a process group of its own, with the run's id in its command
//! line (`-Dkplan.run=ID`). All listen on 127.0.0.1 only, on ports that are chosen before the start
//! and kept over restarts. Data is below a directory of the cluster's own, which is removed with the
//! cluster.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use indexmap::IndexMap;
use tokio::time::{Instant, sleep};

mod backend;
pub mod cleanup;
mod clocks;
mod damage;
mod disk_calls;
mod home;
mod java;
mod lifecycle;
mod node;
mod power;
mod process;
mod software;

pub use backend::LocalBackend;

use self::{
    home::Home,
    java::Java,
    node::{Common, LocalNode},
    software::Software,
};
use super::{
    Cluster, ClusterSpec, Node, NodeLife as _, NodeState, Quorum, RigError,
    addresses::{Addresses, LOOPBACK, NodePlace, Purpose},
    admin::Topics,
    config,
    ports::{self, Reserved},
    storage,
};

const NAME: &str = "local";
/// How long ZooKeeper may need until it accepts connections; an old broker gives up after 6 s.
const ZOOKEEPER_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(25);

/// A cluster of processes. Dropping it removes nothing: call [`Cluster::destroy`];
/// [`cleanup::remove_run`] removes what a crash leaves.
pub struct LocalCluster {
    common: Common,
    local: LocalBackend,
    nodes: Vec<LocalNode>,
    topics: Topics,
    home: Home,
    /// Held as long as the cluster lives: no other kplan takes these ports.
    _ports: Vec<Reserved>,
}

impl LocalCluster {
    /// Starts every node at once, ZooKeeper before its brokers.
    pub async fn launch(local: LocalBackend, spec: ClusterSpec) -> Result<Self, RigError> {
        config::refuse(&spec, NAME)?;
        process::needs_proc()?;
        if spec.disk.is_some() {
            let what = "limit the size of a broker's disk".to_owned();
            return Err(RigError::Unsupported { backend: NAME, what });
        }
        let java = java::find().await?;
        let software = software::find(&spec.version, local.kafka_dir.as_deref(), &spec.run).await?;
        let home = Home::create(&spec)?;
        let prepared = prepare(spec, home.path(), java, software).await;
        let (common, nodes, ports) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                let _ = home.remove();
                return Err(error);
            }
        };
        let topics = Topics::new(&bootstrap(&nodes), &IndexMap::new());
        let cluster = Self { common, local, nodes, topics, home, _ports: ports };
        match cluster.first_start().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                // The first error is reported; what cannot be removed now is removed with the run.
                let _ = cluster.destroy().await;
                Err(error)
            }
        }
    }

    async fn first_start(&self) -> Result<(), RigError> {
        let all: Vec<&LocalNode> = self.nodes.iter().collect();
        self.start_in_order(&all).await?;
        self.check().await
    }

    /// Starts ZooKeeper first, and the others once it accepts connections.
    async fn start_in_order(&self, nodes: &[&LocalNode]) -> Result<(), RigError> {
        let (first, others): (Vec<&LocalNode>, Vec<&LocalNode>) =
            nodes.iter().copied().partition(|node| matches!(node.node, Node::Zookeeper(_)));
        for node in &first {
            node.start(&self.common)?;
        }
        for node in &first {
            self.takes_connections(node).await?;
        }
        others.iter().try_for_each(|node| node.start(&self.common))
    }

    async fn takes_connections(&self, node: &LocalNode) -> Result<(), RigError> {
        let address = (LOOPBACK, node.port());
        let deadline = Instant::now() + ZOOKEEPER_LIMIT;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if node.state() == NodeState::Dead {
                return Err(node.death().into());
            }
            if Instant::now() >= deadline {
                let what = format!("the start of {}", node.node);
                return Err(RigError::Late { what, limit: ZOOKEEPER_LIMIT });
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    fn node(&self, node: Node) -> Result<&LocalNode, RigError> {
        self.nodes
            .iter()
            .find(|each| each.node == node)
            .ok_or_else(|| RigError::Other(format!("there is no {node} in this cluster")))
    }

    fn some(&self, nodes: &[Node]) -> Result<Vec<&LocalNode>, RigError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }

    /// Waits until all are dead.
    async fn wait_dead(&self, nodes: &[&LocalNode], limit: Duration) -> Result<(), RigError> {
        let ends = nodes.iter().map(|node| node.wait_for(NodeState::Dead, limit));
        join_all(ends).await.into_iter().collect()
    }
}

/// Prepares everything before the first process starts: ports, directories, configuration.
async fn prepare(
    spec: ClusterSpec,
    home: &Path,
    java: Java,
    software: Arc<Software>,
) -> Result<(Common, Vec<LocalNode>, Vec<Reserved>), RigError> {
    let logs = spec.dir.join("logs");
    std::fs::create_dir_all(&logs)
        .map_err(|error| failed("create the directory", &logs, &error))?;
    let mut reserved = Vec::new();
    let mut places = BTreeMap::new();
    for node in config::nodes(&spec) {
        let mut ports: BTreeMap<Purpose, u16> = BTreeMap::new();
        for purpose in config::purposes(&spec, node) {
            let port = ports::reserve()?;
            ports.insert(purpose, port.port);
            reserved.push(port);
        }
        places.insert(node, NodePlace { home: home.join(node.slug()), ports });
    }
    let at = Addresses { cluster_id: storage::random_id(), places, ..Addresses::default() };
    let mut common = Common { spec, at, java, software, checkpoint: None };
    let all = config::nodes(&common.spec);
    let nodes = all
        .into_iter()
        .map(|node| LocalNode::prepare(&common, node))
        .collect::<Result<Vec<_>, _>>()?;
    if common.spec.mode != Quorum::Zookeeper {
        common.checkpoint = Some(checkpoint(&common, &nodes).await?);
    }
    for node in &nodes {
        node.format(&common)?;
    }
    Ok((common, nodes, reserved))
}

/// The checkpoint of this Kafka's formatted storage: from the cache, or made once by Kafka's own tool.
async fn checkpoint(common: &Common, nodes: &[LocalNode]) -> Result<Vec<u8>, RigError> {
    if let Some(known) = storage::load(&common.software.id) {
        return Ok(known);
    }
    let voter = nodes.iter().find(|node| match common.spec.mode {
        Quorum::KraftSeparate(_) => matches!(node.node, Node::Controller(_)),
        _ => matches!(node.node, Node::Broker(_)),
    });
    let Some(node) = voter else {
        return Err(RigError::Other("a cluster without a node".to_owned()));
    };
    let checkpoint = node.format_by_kafka(common).await?;
    storage::keep(&common.software.id, &checkpoint);
    Ok(checkpoint)
}

fn bootstrap(nodes: &[LocalNode]) -> String {
    let brokers = nodes.iter().filter(|node| matches!(node.node, Node::Broker(_)));
    brokers.map(|node| format!("{LOOPBACK}:{}", node.port())).collect::<Vec<_>>().join(",")
}

/// An error of this machine in one line.
fn failed(what: &str, path: &Path, error: &dyn std::fmt::Display) -> RigError {
    RigError::Other(format!("cannot {what} {}: {error}", path.display()))
}

/// The directory for fetched and generated files: `KPLAN_CACHE`, else `kplan` in this user's cache.
pub fn cache() -> Option<PathBuf> {
    storage::cache_root()
}
