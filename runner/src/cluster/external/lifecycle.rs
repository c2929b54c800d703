//! What can be done to an existing cluster.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use indexmap::IndexMap;
use kplan_dsl::{BrokerCommand, Commands, value::DataFate};

use super::super::{
    AdminError, Cluster, ClusterSpec, Node, NodeLife, NodeState, RigError, TopicAdmin, TopicChange,
    TopicSpec, ending::Death,
};
use super::{BrokerLife, ExternalCluster, NAME, client_config, command::Work};
use crate::client::routes::Router;

/// The limit of commands if the file has none.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) type Pick = fn(&Commands) -> Option<&BrokerCommand>;

#[async_trait]
impl Cluster for ExternalCluster {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    fn borrowed(&self) -> bool {
        true
    }

    fn nodes(&self) -> Vec<Node> {
        self.found.brokers.keys().map(|id| Node::Broker(*id)).collect()
    }

    fn address(&self, broker: u32) -> String {
        self.found.brokers.get(&broker).map(|found| found.address.clone()).unwrap_or_default()
    }

    fn router(&self) -> Option<Arc<Router>> {
        self.router.clone()
    }

    fn controller_addresses(&self) -> Vec<(u32, String)> {
        let given = self.file.controllers.0.iter();
        given.map(|(node, at)| (node.value, at.as_str().to_owned())).collect()
    }

    /// Controllers have listeners of their own, which often require no login even if brokers require one.
    fn controller_configs(&self) -> Vec<IndexMap<String, String>> {
        vec![client_config(&self.file), IndexMap::new()]
    }

    fn zookeeper_address(&self) -> Option<String> {
        self.file.zookeeper.as_ref().map(|address| address.as_str().to_owned())
    }

    fn client_config(&self) -> IndexMap<String, String> {
        client_config(&self.file)
    }

    async fn give_back(&self) -> Result<Vec<String>, RigError> {
        self.mend_and_clear().await
    }

    async fn destroy(&self) -> Result<(), RigError> {
        // The cluster is not kplan's: `give_back` has undone all changes.
        Ok(())
    }

    fn topics(&self) -> &dyn TopicAdmin {
        self
    }
}

#[async_trait]
impl NodeLife for ExternalCluster {
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError> {
        self.take_down(nodes, "kill", |c| c.kill.as_ref(), self.limit()).await
    }

    async fn stop(&self, nodes: &[Node], limit: Duration) -> Result<(), RigError> {
        self.take_down(nodes, "stop", |c| c.stop.as_ref(), limit.max(self.limit())).await
    }

    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError> {
        let mut down = Vec::new();
        for broker in self.numbers(nodes)? {
            if self.state(Node::Broker(broker)).await? == NodeState::Dead {
                down.push(broker);
            }
        }
        if data == DataFate::Wiped {
            self.command(&down, "wipe", |c| c.wipe.as_ref()).await?;
        }
        self.start_again(&down).await
    }

    async fn pause(&self, nodes: &[Node]) -> Result<(), RigError> {
        let brokers = self.numbers(nodes)?;
        self.command(&brokers, "pause", |c| c.pause.as_ref()).await?;
        self.set(&brokers, BrokerLife::Paused);
        self.all_silent(&brokers, "pause", self.limit()).await
    }

    async fn resume(&self, nodes: &[Node]) -> Result<(), RigError> {
        let brokers = self.numbers(nodes)?;
        self.command(&brokers, "resume", |c| c.resume.as_ref()).await?;
        self.set(&brokers, BrokerLife::Starting);
        Ok(())
    }

    async fn state(&self, node: Node) -> Result<NodeState, RigError> {
        let broker = self.number(node)?;
        let life = self.life(broker);
        if matches!(life, BrokerLife::Down | BrokerLife::Paused) {
            return Ok(life.state().unwrap_or(NodeState::Dead));
        }
        if self.answers(broker).await {
            self.set(&[broker], BrokerLife::Up);
            return Ok(NodeState::Running);
        }
        Ok(life.state().unwrap_or(NodeState::Dead))
    }

    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError> {
        let exit = match self.life(self.number(node)?) {
            BrokerLife::Down => "taken down by the command of the backend file".to_owned(),
            _ if self.state(node).await? != NodeState::Dead => return Ok(None),
            _ => "it does not answer; kplan cannot see why".to_owned(),
        };
        Ok(Some(Death { node, exit, log_tail: String::new(), foreign: false }))
    }
}

#[async_trait]
impl TopicAdmin for ExternalCluster {
    async fn create_topic(&self, topic: &TopicSpec) -> Result<(), AdminError> {
        self.topics.create_topic(topic).await?;
        self.created().insert(topic.name.clone());
        Ok(())
    }

    async fn delete_topic(&self, name: &str) -> Result<(), AdminError> {
        self.only_own(name, "delete")?;
        self.topics.delete_topic(name).await?;
        self.created().remove(name);
        Ok(())
    }

    async fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<(), AdminError> {
        self.only_own(name, "change")?;
        self.topics.alter_topic(name, change).await
    }

    async fn delete_groups(&self, names: &[String]) -> Result<(), AdminError> {
        self.topics.delete_groups(names).await
    }
}

impl ExternalCluster {
    /// The limit of every command.
    pub(super) fn limit(&self) -> Duration {
        self.file.commands.as_ref().map_or(LIMIT, |commands| *commands.timeout)
    }

    fn number(&self, node: Node) -> Result<u32, RigError> {
        match node {
            Node::Broker(id) if self.found.brokers.contains_key(&id) => Ok(id),
            _ => {
                Err(RigError::Other(format!("kplan does not know {node} of the external cluster")))
            }
        }
    }

    fn numbers(&self, nodes: &[Node]) -> Result<Vec<u32>, RigError> {
        nodes.iter().map(|node| self.number(*node)).collect()
    }

    /// Runs a command for all brokers at once. Returns what each printed.
    pub(super) async fn command(
        &self,
        brokers: &[u32],
        what: &'static str,
        pick: Pick,
    ) -> Result<Vec<String>, RigError> {
        let command = self.file.commands.as_ref().and_then(pick);
        let command = command.ok_or_else(|| {
            unsupported(&format!("{what} brokers: its backend file has no such command"))
        })?;
        let mut work = Vec::new();
        for broker in brokers {
            let host = self.found.brokers.get(broker).map_or("", |found| &found.host);
            let words = command.words(*broker, host, &self.spec.run).map_err(RigError::Other)?;
            // A command that may start a broker must not carry the run's id, or the broker ends with the run.
            let stays = matches!(what, "start" | "wipe");
            let run = (!stays).then_some(self.spec.run.as_str());
            let (limit, prints) = (self.limit(), what == "identity");
            work.push(Work { what, broker: *broker, words, limit, prints, run }.run());
        }
        join_all(work).await.into_iter().collect()
    }

    async fn take_down(
        &self,
        nodes: &[Node],
        what: &'static str,
        pick: Pick,
        limit: Duration,
    ) -> Result<(), RigError> {
        let brokers = self.numbers(nodes)?;
        let living: Vec<u32> =
            brokers.into_iter().filter(|broker| self.life(*broker) != BrokerLife::Down).collect();
        let before = self.identities(&living).await?;
        self.command(&living, what, pick).await?;
        // From here on kplan must start them again, even if one still answers.
        self.set(&living, BrokerLife::Down);
        match before {
            Some(before) => self.all_others(&living, &before, what, limit).await,
            None => self.all_silent(&living, what, limit).await,
        }
    }

    /// Starts brokers by the command of the file, or lets them come back by themselves.
    pub(super) async fn start_again(&self, brokers: &[u32]) -> Result<(), RigError> {
        let has_command = self.file.commands.as_ref().is_some_and(|c| c.start.is_some());
        if has_command || !self.file.brokers_come_back {
            self.command(brokers, "start", |c| c.start.as_ref()).await?;
        }
        self.set(brokers, BrokerLife::Starting);
        Ok(())
    }

    /// Refuses to change topics that existed before the plan.
    fn only_own(&self, name: &str, what: &str) -> Result<(), RigError> {
        if self.created().contains(name) {
            return Ok(());
        }
        Err(unsupported(&format!("{what} topic {name}: this plan did not create it")))
    }
}

fn unsupported(what: &str) -> RigError {
    RigError::Unsupported { backend: NAME, what: what.to_owned() }
}
