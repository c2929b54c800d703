//! What can be done to a running cluster of containers.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use bollard::{models::ContainerState, query_parameters::StartContainerOptions};
use futures::future::join_all;
use indexmap::IndexMap;
use kplan_dsl::value::DataFate;
use tokio::time::{Instant, sleep, timeout};

use super::super::{
    Acted, ClockAbility, Cluster, ClusterSpec, ContainerAbility, DiskAbility, DiskCallAbility,
    FileAbility, HostAbility, Listening, LogAbility, NetworkAbility, Node, NodeLife, NodeState,
    PowerAbility, Quorum, RigError, TopicAdmin, UpgradeAbility, Version, contained::network,
    security::Access,
};
use super::{
    DockerCluster, NAME, cleanup, config,
    ending::{self, Death, Ending},
    engine::{failed, find_image},
    exec, labels_of, logs,
    node::{DockerNode, is_port_taken},
    segments, sockets, storage, zookeeper,
};
use crate::engine::{ContainerIs, ContainerRequest};

/// How long the engine may need to free a port of the earlier life.
const PORT_LIMIT: Duration = Duration::from_secs(10);
/// How long a whole cluster may take to be removed.
const DESTROY_LIMIT: Duration = Duration::from_secs(90);
pub(super) const PAUSE: Duration = Duration::from_millis(25);
/// How long the rest of the output may need to reach its file.
const LOG_LIMIT: Duration = Duration::from_secs(3);
const TAIL_LINES: usize = 20;

#[async_trait]
impl Cluster for DockerCluster {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn spec(&self) -> &ClusterSpec {
        &self.blueprint.spec
    }

    fn nodes(&self) -> Vec<Node> {
        config::nodes(&self.blueprint.spec)
    }

    fn address(&self, broker: u32) -> String {
        let port = self.node(Node::Broker(broker)).map_or(0, DockerNode::host_port);
        self.blueprint.at.published(port)
    }

    fn controller_addresses(&self) -> Vec<(u32, String)> {
        let numbered = self.nodes.iter().filter_map(|n| match n.node {
            Node::Broker(id) | Node::Controller(id) => Some((id, n.controller_port()?)),
            Node::Zookeeper(_) => None,
        });
        numbered.map(|(id, port)| (id, self.blueprint.at.published(port))).collect()
    }

    fn controller_configs(&self) -> Vec<IndexMap<String, String>> {
        vec![self.access().map(Access::controller_config).unwrap_or_default()]
    }

    fn zookeeper_address(&self) -> Option<String> {
        let node = self.node(Node::Zookeeper(1)).ok()?;
        Some(self.blueprint.at.published(node.host_port()))
    }

    fn access(&self) -> Option<&Access> {
        self.blueprint.secured.as_ref().map(|secured| &secured.access)
    }

    fn effective_config(&self, node: Node) -> Option<String> {
        Some(self.node(node).ok()?.properties.clone())
    }

    async fn out_of_reach(&self) -> RigError {
        self.not_reached().await
    }

    async fn destroy(&self) -> Result<(), RigError> {
        // If the engine is gone, the guardian waits for it and removes what it holds.
        self.pulse.check()?;
        let limit = DESTROY_LIMIT;
        timeout(limit, self.remove_all()).await.unwrap_or_else(|_| {
            Err(RigError::TimedOut { what: "removing the cluster".into(), limit })
        })
    }

    fn topics(&self) -> &dyn TopicAdmin {
        &self.topics
    }

    fn upgrades(&self) -> Result<&dyn UpgradeAbility, RigError> {
        Ok(self)
    }

    fn network(&self) -> Result<&dyn NetworkAbility, RigError> {
        Ok(self)
    }

    fn disks(&self) -> Result<&dyn DiskAbility, RigError> {
        Ok(self)
    }

    fn files(&self) -> Result<&dyn FileAbility, RigError> {
        Ok(self)
    }

    fn disk_calls(&self) -> Result<&dyn DiskCallAbility, RigError> {
        Ok(self)
    }

    fn clocks(&self) -> Result<&dyn ClockAbility, RigError> {
        Ok(self)
    }

    fn power(&self) -> Result<&dyn PowerAbility, RigError> {
        Ok(self)
    }

    fn hosts(&self) -> Result<&dyn HostAbility, RigError> {
        Ok(self)
    }

    fn logs(&self) -> Result<&dyn LogAbility, RigError> {
        Ok(self)
    }

    fn containers(&self) -> Result<&dyn ContainerAbility, RigError> {
        Ok(self)
    }
}

#[async_trait]
impl NodeLife for DockerCluster {
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        self.signal(&nodes, "SIGKILL").await?;
        self.killed(&nodes).await
    }

    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        for node in &nodes {
            if node.is(self.docker()).await? == ContainerIs::Paused {
                let why = "is paused: it cannot shut down before it is resumed";
                return Err(RigError::NotSo(format!("{} {why}", node.node)));
            }
        }
        let stopped = self.ask_to_end(&nodes, limit).await;
        if stopped.is_err() {
            self.signal(&nodes, "SIGKILL").await?;
            self.killed(&nodes).await?;
        }
        stopped
    }

    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError> {
        let mut dead = Vec::new();
        for node in self.some(nodes)? {
            if node.is(self.docker()).await? == ContainerIs::Ended {
                dead.push(node);
            }
        }
        let (first, others): (Vec<&DockerNode>, Vec<&DockerNode>) =
            dead.into_iter().partition(|node| matches!(node.node, Node::Zookeeper(_)));
        self.start_together(&first, data).await?;
        self.wait_for_old_sessions(&others).await?;
        self.start_together(&others, data).await?;
        // A restarted container has a new network stack.
        network::renew(self).await
    }

    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        self.each(&nodes, ContainerRequest::Pause).await
    }

    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        self.each(&nodes, ContainerRequest::Resume).await?;
        // The network may have changed while the node was paused and could not run a script.
        network::renew(self).await
    }

    async fn state(&self, node: Node) -> Result<NodeState, RigError> {
        Ok(match self.node(node)?.is(self.docker()).await? {
            ContainerIs::Paused => NodeState::Paused,
            ContainerIs::Running => NodeState::Running,
            ContainerIs::Ended => NodeState::Dead,
        })
    }

    async fn check(&self) -> Result<(), RigError> {
        self.pulse.check()?;
        if let Some(trouble) = self.nodes.iter().find_map(DockerNode::log_trouble) {
            return Err(RigError::Other(trouble));
        }
        for node in self.nodes.iter().filter(|node| node.looks_dead()) {
            let state = node.inspect(self.docker()).await?;
            if ContainerIs::from(&state) != ContainerIs::Ended {
                // Only the stream of its output was interrupted.
                node.follow(self.docker());
                continue;
            }
            let log_tail = logs::tail(self.docker(), &node.name, TAIL_LINES).await;
            return Err(self.death(node.node, &state, log_tail).into());
        }
        self.stands_in_network().await
    }

    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError> {
        let node = self.node(node)?;
        let state = node.inspect(self.docker()).await?;
        if ContainerIs::from(&state) != ContainerIs::Ended {
            return Ok(None);
        }
        let tail = logs::tail(self.docker(), &node.name, TAIL_LINES).await;
        Ok(Some(self.death(node.node, &state, tail)))
    }
}

#[async_trait]
impl UpgradeAbility for DockerCluster {
    async fn exchange(&self, nodes: &[Node], version: &Version) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        let template = self.blueprint.spec.image.as_deref();
        let image = find_image(self.docker(), version, template).await?;
        let blueprint = self.blueprint.of_version(version, image);
        let results = nodes.iter().map(|node| node.exchange(&blueprint));
        join_all(results).await.into_iter().collect::<Result<(), _>>()?;
        for node in nodes {
            node.set_wanted(true);
            node.follow(self.docker());
        }
        network::renew(self).await
    }
}

#[async_trait]
impl DiskAbility for DockerCluster {
    async fn take_space(&self, node: Node, leave: u64) -> Result<Acted, RigError> {
        self.fill(node, leave).await
    }

    async fn give_space(&self, node: Node) -> Result<u64, RigError> {
        self.free(node).await
    }

    async fn segments(
        &self,
        broker: u32,
        partition: (&str, u32),
        into: &Path,
        most: u64,
    ) -> Result<Vec<PathBuf>, RigError> {
        let name = &self.node(Node::Broker(broker))?.name;
        segments::copy(self.docker(), name, partition, into, most).await
    }
}

#[async_trait]
impl HostAbility for DockerCluster {
    fn listener_ports(&self, broker: u32) -> Vec<u16> {
        config::listening(&self.blueprint.spec, Node::Broker(broker), &self.blueprint.at)
    }

    async fn sockets(&self, broker: u32) -> Result<Vec<Listening>, RigError> {
        let node = self.node(Node::Broker(broker))?;
        let mut found = Vec::new();
        // A kernel without IPv6 has no second table.
        for (table, ipv6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
            let text = self.read(node, table).await?;
            found.extend(sockets::listening(&String::from_utf8_lossy(&text), ipv6));
        }
        Ok(found)
    }
}

impl LogAbility for DockerCluster {
    fn log_file(&self, node: Node) -> Option<PathBuf> {
        Some(self.node(node).ok()?.log_path())
    }

    fn move_logs(&self, dir: &Path) {
        for node in &self.nodes {
            node.move_log(self.docker(), dir);
        }
    }
}

impl DockerCluster {
    fn death(&self, node: Node, state: &ContainerState, log_tail: String) -> Death {
        let small_disk = self.blueprint.spec.disk.is_some();
        let Ending { exit, foreign } = how_it_ended(state, &log_tail, small_disk);
        Death { node, exit, log_tail, foreign }
    }

    async fn remove_all(&self) -> Result<(), RigError> {
        let nodes: Vec<&DockerNode> = self.nodes.iter().collect();
        self.keep_format().await;
        // Killed first, so that the last output reaches its file before its source is removed.
        let _ = self.signal(&nodes, "SIGKILL").await;
        let followers = self.nodes.iter().filter_map(DockerNode::take_follower);
        let _ = timeout(LOG_LIMIT, join_all(followers)).await;
        // What could not be removed here is removed, or reported, by the second look.
        let _ = join_all(self.nodes.iter().map(|node| node.remove(self.docker()))).await;
        cleanup::remove(self.docker(), &labels_of(self.spec()), 1).await.map(drop)
    }

    /// Keeps the storage format of the first cluster of an image for later clusters.
    async fn keep_format(&self) {
        let kraft = self.spec().mode != Quorum::Zookeeper;
        let living = self.nodes.iter().find(|node| node.looks_alive());
        if let (true, None, Some(node)) = (kraft, &self.blueprint.checkpoint, living)
            && let Ok(Ok(checkpoint)) =
                timeout(LOG_LIMIT, self.read(node, &storage::checkpoint_path())).await
        {
            storage::keep(&self.blueprint.image.id, &checkpoint);
        }
    }

    async fn start_together(&self, nodes: &[&DockerNode], data: DataFate) -> Result<(), RigError> {
        let started = join_all(nodes.iter().map(|node| self.start_one(node, data))).await;
        started.into_iter().collect()
    }

    async fn start_one(&self, node: &DockerNode, data: DataFate) -> Result<(), RigError> {
        match data {
            DataFate::Wiped => node.renew(&self.blueprint).await?,
            DataFate::Kept => self.start_container(node).await?,
        }
        node.set_wanted(true);
        node.follow(self.docker());
        Ok(())
    }

    /// Starts the container on the same port; the engine may not have released it yet.
    async fn start_container(&self, node: &DockerNode) -> Result<(), RigError> {
        let deadline = Instant::now() + PORT_LIMIT;
        loop {
            let options = None::<StartContainerOptions>;
            match self.docker().start_container(&node.name, options).await {
                Ok(()) => return Ok(()),
                Err(error) if is_port_taken(&error.to_string()) && Instant::now() < deadline => {
                    sleep(PAUSE * 8).await;
                }
                Err(error) => return Err(failed(&format!("start {} again", node.node), &error)),
            }
        }
    }

    /// In ZooKeeper mode a broker must not start while the session of its earlier life is still listed.
    async fn wait_for_old_sessions(&self, nodes: &[&DockerNode]) -> Result<(), RigError> {
        let brokers: Vec<u32> = nodes
            .iter()
            .filter_map(|node| match node.node {
                Node::Broker(id) => Some(id),
                _ => None,
            })
            .collect();
        let Some(address) = self.zookeeper_address() else { return Ok(()) };
        // If ZooKeeper is down, the plan wants to see how the broker starts without it.
        let zookeeper_runs = self.state(Node::Zookeeper(1)).await? == NodeState::Running;
        if self.spec().mode != Quorum::Zookeeper || brokers.is_empty() || !zookeeper_runs {
            return Ok(());
        }
        zookeeper::wait_until_gone(&address, &brokers).await
    }

    /// A file inside a container that runs; empty when it cannot be read.
    async fn read(&self, node: &DockerNode, path: &str) -> Result<Vec<u8>, RigError> {
        let output = exec::run(self.docker(), &node.name, &["cat", path], false).await?;
        Ok(output.text)
    }
}

/// Exit code, signal or lack of memory as text, and whether the cause lies outside the node.
fn how_it_ended(state: &ContainerState, log_tail: &str, small_disk: bool) -> Ending {
    if state.oom_killed == Some(true) {
        return ending::killed_for_memory();
    }
    // An error of the engine itself.
    let error = state.error.as_deref().filter(|error| !error.is_empty());
    let reported = || ending::reported(state.exit_code.unwrap_or_default(), log_tail, small_disk);
    error.map_or_else(reported, |error| Ending { exit: error.to_owned(), foreign: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_killed_for_memory_was_not_just_killed() {
        let ended = |oom| {
            let state = ContainerState {
                exit_code: Some(137),
                oom_killed: Some(oom),
                ..Default::default()
            };
            how_it_ended(&state, "", false)
        };
        assert_eq!(ended(false).exit, "killed by SIGKILL");
        assert_eq!(ended(true), ending::killed_for_memory());
    }
}
