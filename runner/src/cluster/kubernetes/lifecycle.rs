//! What can be done to a running cluster of pods.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use kplan_dsl::value::DataFate;
use tokio::time::timeout;

use super::super::{
    ClockAbility, Cluster, ClusterSpec, DiskAbility, DiskCallAbility, FileAbility, HostAbility,
    Listening, LogAbility, NetworkAbility, Node, NodeLife, NodeState, PowerAbility, Quorum,
    RigError, TopicAdmin,
    addresses::{CONTROLLER_PORT, EXTERNAL_PORT, ZOOKEEPER_PORT},
    config,
    ending::{self, Death, Ending},
    sockets, zookeeper,
};

use super::{
    KubernetesCluster, NAME,
    api::{CONTAINER, asked},
    cleanup,
    node::KubeNode,
    objects, wait,
};

/// How long a whole cluster may take to be removed.
const DESTROY_LIMIT: Duration = Duration::from_secs(120);
/// How long the rest of the output may need to reach its file.
const LOG_LIMIT: Duration = Duration::from_secs(5);
/// How long one script waits for a node to end: a command in a pod is limited.
const ONE_WAIT: Duration = Duration::from_secs(30);
const TAIL_LINES: i64 = 20;

#[async_trait]
impl Cluster for KubernetesCluster {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    fn nodes(&self) -> Vec<Node> {
        config::nodes(&self.spec)
    }

    fn address(&self, broker: u32) -> String {
        let node = self.node(Node::Broker(broker));
        node.map(|node| format!("{}:{EXTERNAL_PORT}", node.address)).unwrap_or_default()
    }

    fn controller_addresses(&self) -> Vec<(u32, String)> {
        let voters = self.nodes.iter().filter(|one| config::votes(&self.spec, one.node));
        let numbered = voters.filter_map(|one| match one.node {
            Node::Broker(id) | Node::Controller(id) => Some((id, one.address)),
            Node::Zookeeper(_) => None,
        });
        numbered.map(|(id, address)| (id, format!("{address}:{CONTROLLER_PORT}"))).collect()
    }

    fn zookeeper_address(&self) -> Option<String> {
        let node = self.node(Node::Zookeeper(1)).ok()?;
        Some(format!("{}:{ZOOKEEPER_PORT}", node.address))
    }

    fn effective_config(&self, node: Node) -> Option<String> {
        Some(self.node(node).ok()?.properties.clone())
    }

    async fn destroy(&self) -> Result<(), RigError> {
        let limit = DESTROY_LIMIT;
        timeout(limit, self.remove_all()).await.unwrap_or_else(|_| {
            Err(RigError::TimedOut { what: "removing the cluster".into(), limit })
        })
    }

    fn topics(&self) -> &dyn TopicAdmin {
        &self.topics
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
}

#[async_trait]
impl NodeLife for KubernetesCluster {
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError> {
        let killed = self.some(nodes)?.into_iter().map(|node| node.kill(&self.api));
        join_all(killed).await.into_iter().collect()
    }

    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        for node in &nodes {
            if node.state(&self.api).await? == NodeState::Paused {
                let why = "is paused: it cannot shut down before it is resumed";
                return Err(RigError::NotSo(format!("{} {why}", node.node)));
            }
        }
        let stopped = nodes.iter().map(|node| self.stop_one(node, limit));
        let stopped: Result<(), RigError> = join_all(stopped).await.into_iter().collect();
        if stopped.is_err() {
            let killed = nodes.iter().map(|node| node.kill(&self.api));
            join_all(killed).await.into_iter().collect::<Result<(), _>>()?;
        }
        stopped
    }

    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError> {
        let nodes = self.some(nodes)?;
        let (first, others): (Vec<&KubeNode>, Vec<&KubeNode>) =
            nodes.into_iter().partition(|node| matches!(node.node, Node::Zookeeper(_)));
        self.start_together(&first, data).await?;
        self.wait_for_old_sessions(&others).await?;
        self.start_together(&others, data).await
    }

    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError> {
        self.signal(nodes, "STOP").await
    }

    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError> {
        self.signal(nodes, "CONT").await
    }

    async fn state(&self, node: Node) -> Result<NodeState, RigError> {
        self.node(node)?.state(&self.api).await
    }

    async fn check(&self) -> Result<(), RigError> {
        if let Some(trouble) = self.nodes.iter().find_map(KubeNode::log_trouble) {
            return Err(RigError::Other(trouble));
        }
        for node in self.nodes.iter().filter(|node| node.looks_dead()) {
            self.stands(node).await?;
            match node.exit_status(&self.api).await? {
                Some(code) => return Err(self.death(node, code).await.into()),
                None => node.follow_again(&self.api),
            }
        }
        Ok(())
    }

    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError> {
        let node = self.node(node)?;
        match node.exit_status(&self.api).await? {
            Some(code) => Ok(Some(self.death(node, code).await)),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl HostAbility for KubernetesCluster {
    fn listener_ports(&self, broker: u32) -> Vec<u16> {
        config::listening(&self.spec, Node::Broker(broker), &self.at)
    }

    async fn sockets(&self, broker: u32) -> Result<Vec<Listening>, RigError> {
        let node = self.node(Node::Broker(broker))?;
        let mut found = Vec::new();
        // A kernel without IPv6 has no second table.
        for (table, ipv6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
            let output = self.api.run(&node.pod, CONTAINER, &["cat", table], false).await?;
            found.extend(sockets::listening(&output.text(), ipv6));
        }
        Ok(found)
    }
}

impl LogAbility for KubernetesCluster {
    fn log_file(&self, node: Node) -> Option<PathBuf> {
        Some(self.node(node).ok()?.log_path())
    }

    fn move_logs(&self, dir: &Path) {
        for node in &self.nodes {
            node.move_log(&self.api, dir);
        }
    }
}

impl KubernetesCluster {
    async fn stop_one(&self, node: &KubeNode, limit: Duration) -> Result<(), RigError> {
        let mut left = limit;
        loop {
            let wait = left.min(ONE_WAIT);
            if node.ask_to_end(&self.api, wait).await? {
                return Ok(());
            }
            left -= wait;
            if left.is_zero() {
                return Err(RigError::StillRuns { node: node.node, limit });
            }
        }
    }

    async fn start_together(&self, nodes: &[&KubeNode], data: DataFate) -> Result<(), RigError> {
        let wiped = data == DataFate::Wiped;
        let started = nodes.iter().map(|node| node.start(&self.api, wiped));
        join_all(started).await.into_iter().collect()
    }

    async fn signal(&self, nodes: &[Node], signal: &str) -> Result<(), RigError> {
        let signalled = self.some(nodes)?.into_iter().map(|node| node.signal(&self.api, signal));
        join_all(signalled).await.into_iter().collect()
    }

    /// In ZooKeeper mode a broker must not start while the session of its earlier life is still listed.
    async fn wait_for_old_sessions(&self, nodes: &[&KubeNode]) -> Result<(), RigError> {
        let number = |node: &&KubeNode| match node.node {
            Node::Broker(id) => Some(id),
            Node::Controller(_) | Node::Zookeeper(_) => None,
        };
        let brokers: Vec<u32> = nodes.iter().filter_map(number).collect();
        let Some(address) = self.zookeeper_address() else { return Ok(()) };
        // If ZooKeeper is down, the plan wants to see how the broker starts without it.
        let runs = self.state(Node::Zookeeper(1)).await? == NodeState::Running;
        if self.spec.mode != Quorum::Zookeeper || brokers.is_empty() || !runs {
            return Ok(());
        }
        zookeeper::wait_until_gone(&address, &brokers).await
    }

    /// Fails if the pod of a node is gone or has ended: kplan never ends one before the cluster.
    async fn stands(&self, node: &KubeNode) -> Result<(), RigError> {
        let pods = self.api.pods();
        let pod = asked("look at a pod", pods.get_opt(&node.pod)).await?;
        let Some(pod) = pod.filter(|pod| pod.metadata.deletion_timestamp.is_none()) else {
            return Err(RigError::Other(format!(
                "the pod {} of {} was deleted, and not by kplan",
                node.pod, node.node
            )));
        };
        wait::trouble(&pod, "", Duration::ZERO).map_or(Ok(()), Err)
    }

    async fn death(&self, node: &KubeNode, code: i64) -> Death {
        let log_tail = node.tail(&self.api, TAIL_LINES).await;
        let Ending { exit, foreign } = ending::reported(code, &log_tail, self.spec.disk.is_some());
        Death { node: node.node, exit, log_tail, foreign }
    }

    async fn remove_all(&self) -> Result<(), RigError> {
        // Killed first, so that the last output reaches its file before its source is removed.
        let _ = join_all(self.nodes.iter().map(|node| node.kill(&self.api))).await;
        let labels = objects::labels(&self.spec);
        let removed = cleanup::remove(&self.api, &labels);
        let followers = self.nodes.iter().filter_map(KubeNode::take_follower);
        let (removed, _) = tokio::join!(removed, timeout(LOG_LIMIT, join_all(followers)));
        removed.map(drop)
    }
}
