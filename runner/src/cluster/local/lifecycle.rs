//! What can be done to a running cluster of processes.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use kplan_dsl::value::DataFate;
use nix::sys::signal::Signal;

use super::super::{
    ClockAbility, Cluster, ClusterSpec, DiskCallAbility, FileAbility, HostAbility, Listening,
    LogAbility, Node, NodeLife, NodeState, PowerAbility, Quorum, RigError, TopicAdmin,
    UpgradeAbility, Version, addresses::Purpose, config, ending::Death, zookeeper,
};
use super::{
    LocalCluster, NAME,
    node::LocalNode,
    process,
    software::{self},
};

/// How long a process may need to end after SIGKILL.
const DEATH_LIMIT: Duration = Duration::from_secs(20);
/// How long a process may need to pause or resume.
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

#[async_trait]
impl Cluster for LocalCluster {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn spec(&self) -> &ClusterSpec {
        &self.common.spec
    }

    fn nodes(&self) -> Vec<Node> {
        config::nodes(&self.common.spec)
    }

    fn address(&self, broker: u32) -> String {
        let port = self.node(Node::Broker(broker)).map_or(0, LocalNode::port);
        self.common.at.published(port)
    }

    fn controller_addresses(&self) -> Vec<(u32, String)> {
        let mode = self.common.spec.mode;
        let port = |node| self.common.at.port(node, Purpose::Controller);
        let voters = self.nodes().into_iter().filter_map(|node| match (mode, node) {
            (Quorum::KraftCombined, Node::Broker(id))
            | (Quorum::KraftSeparate(_), Node::Controller(id)) => Some((id, port(node))),
            _ => None,
        });
        voters.map(|(id, port)| (id, self.common.at.published(port))).collect()
    }

    fn zookeeper_address(&self) -> Option<String> {
        let node = self.node(Node::Zookeeper(1)).ok()?;
        Some(self.common.at.published(node.port()))
    }

    fn effective_config(&self, node: Node) -> Option<String> {
        Some(self.node(node).ok()?.properties())
    }

    async fn destroy(&self) -> Result<(), RigError> {
        let all: Vec<&LocalNode> = self.nodes.iter().collect();
        all.iter().try_for_each(|node| node.signal(Signal::SIGKILL))?;
        self.killed(&all).await?;
        self.home.remove()
    }

    fn topics(&self) -> &dyn TopicAdmin {
        &self.topics
    }

    fn upgrades(&self) -> Result<&dyn UpgradeAbility, RigError> {
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
}

#[async_trait]
impl NodeLife for LocalCluster {
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        nodes.iter().try_for_each(|node| node.signal(Signal::SIGKILL))?;
        self.killed(&nodes).await
    }

    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        if let Some(node) = nodes.iter().find(|node| node.state() == NodeState::Paused) {
            let why = "is paused: it cannot shut down before it is resumed";
            return Err(RigError::NotSo(format!("{} {why}", node.node)));
        }
        nodes.iter().try_for_each(|node| node.signal(Signal::SIGTERM))?;
        let stopped = self.wait_dead(&nodes, limit).await;
        if stopped.is_err() {
            nodes.iter().try_for_each(|node| node.signal(Signal::SIGKILL))?;
            self.killed(&nodes).await?;
        }
        stopped
    }

    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        let dead: Vec<&LocalNode> =
            nodes.into_iter().filter(|node| node.state() == NodeState::Dead).collect();
        if data == DataFate::Wiped {
            dead.iter().try_for_each(|node| node.format(&self.common))?;
        }
        // A broker must not start while ZooKeeper still lists the session of its earlier life, and ZooKeeper itself
        // may be among the nodes to start.
        let (first, others): (Vec<&LocalNode>, Vec<&LocalNode>) =
            dead.into_iter().partition(|node| matches!(node.node, Node::Zookeeper(_)));
        self.start_in_order(&first).await?;
        self.wait_for_old_sessions(&others).await?;
        self.start_in_order(&others).await
    }

    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError> {
        self.change(nodes, Signal::SIGSTOP, NodeState::Paused).await
    }

    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError> {
        self.change(nodes, Signal::SIGCONT, NodeState::Running).await
    }

    async fn state(&self, node: Node) -> Result<NodeState, RigError> {
        Ok(self.node(node)?.state())
    }

    async fn check(&self) -> Result<(), RigError> {
        match self.nodes.iter().find(|node| node.ended_by_itself()) {
            Some(node) => Err(node.death().into()),
            None => Ok(()),
        }
    }

    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError> {
        let node = self.node(node)?;
        Ok((node.state() == NodeState::Dead).then(|| node.death()))
    }
}

#[async_trait]
impl UpgradeAbility for LocalCluster {
    async fn exchange(&self, nodes: &[Node], version: &Version) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        let (dir, run) = (self.local.kafka_dir.as_deref(), &self.spec().run);
        let software = software::find(version, dir, run).await?;
        self.wait_for_old_sessions(&nodes).await?;
        nodes.iter().try_for_each(|node| node.exchange(&self.common, software.clone()))
    }
}

#[async_trait]
impl HostAbility for LocalCluster {
    fn listener_ports(&self, broker: u32) -> Vec<u16> {
        let node = Node::Broker(broker);
        config::listening(&self.common.spec, node, &self.common.at)
    }

    async fn sockets(&self, broker: u32) -> Result<Vec<Listening>, RigError> {
        let pid = self.node(Node::Broker(broker))?.pid();
        Ok(pid.map(process::sockets).unwrap_or_default())
    }
}

impl LogAbility for LocalCluster {
    fn log_file(&self, node: Node) -> Option<PathBuf> {
        Some(self.node(node).ok()?.log.clone())
    }
}

impl LocalCluster {
    /// Waits until killed nodes are dead: a process that survives SIGKILL hangs in the kernel.
    async fn killed(&self, nodes: &[&LocalNode]) -> Result<(), RigError> {
        self.wait_dead(nodes, DEATH_LIMIT).await.map_err(|error| match error {
            RigError::StillRuns { node, limit } => {
                RigError::TimedOut { what: format!("killing {node}"), limit }
            }
            other => other,
        })
    }

    /// Signals all nodes and waits until the kernel reports the wanted state.
    async fn change(
        &self,
        nodes: &[Node],
        signal: Signal,
        state: NodeState,
    ) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        if let Some(dead) = nodes.iter().find(|node| node.state() == NodeState::Dead) {
            let what = if state == NodeState::Paused { "pause" } else { "resume" };
            return Err(RigError::NotSo(format!("cannot {what} {}: it does not run", dead.node)));
        }
        nodes.iter().try_for_each(|node| node.signal(signal))?;
        let changes = nodes.iter().map(|node| node.wait_for(state, PAUSE_LIMIT));
        join_all(changes).await.into_iter().collect()
    }

    /// In ZooKeeper mode a broker must not start while the session of its earlier life is still listed. If
    /// ZooKeeper is down, the plan wants to see how the broker starts without it.
    async fn wait_for_old_sessions(&self, nodes: &[&LocalNode]) -> Result<(), RigError> {
        let id = |node: &&LocalNode| match node.node {
            Node::Broker(id) => Some(id),
            _ => None,
        };
        let brokers: Vec<u32> = nodes.iter().filter_map(id).collect();
        let Ok(zookeeper) = self.node(Node::Zookeeper(1)) else { return Ok(()) };
        if brokers.is_empty() || zookeeper.state() != NodeState::Running {
            return Ok(());
        }
        let address = self.common.at.published(zookeeper.port());
        zookeeper::wait_until_gone(&address, &brokers).await
    }
}
