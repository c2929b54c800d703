//! A cluster of given addresses, for tests: only what the observer needs of a backend.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::value::DataFate;

use crate::cluster::{
    AdminError, Bounds, Cluster, ClusterSpec, Death, Node, NodeLife, NodeState, Quorum, RigError,
    TopicAdmin, TopicChange, TopicSpec, Version,
};

pub(super) struct Fake {
    spec: ClusterSpec,
    addresses: Vec<String>,
    simulated: bool,
}

impl Fake {
    /// Brokers 1 and on listen at `addresses`.
    pub(super) fn new(addresses: Vec<String>, mode: Quorum, simulated: bool) -> Self {
        let spec = ClusterSpec {
            run: String::new(),
            name: String::new(),
            version: Version { numbers: vec![4, 1, 1], text: "4.1.1".to_owned() },
            mode,
            brokers: u32::try_from(addresses.len()).expect("a few"),
            first_broker: None,
            config: IndexMap::new(),
            broker_config: BTreeMap::new(),
            jvm: vec![],
            image: None,
            racks: BTreeMap::new(),
            disk: None,
            exchangeable: false,
            damaged: false,
            preload: Default::default(),
            authorizer: false,
            dynamic: false,
            bounds: Bounds::default(),
            security: None,
            dir: PathBuf::new(),
        };
        Self { spec, addresses, simulated }
    }

    fn cannot<T, E: From<RigError>>(what: &str) -> Result<T, E> {
        Err(RigError::Unsupported { backend: "fake", what: what.to_owned() }.into())
    }
}

#[async_trait]
impl Cluster for Fake {
    fn backend(&self) -> &'static str {
        "fake"
    }
    fn simulated(&self) -> bool {
        self.simulated
    }
    fn spec(&self) -> &ClusterSpec {
        &self.spec
    }
    fn nodes(&self) -> Vec<Node> {
        (1..=self.spec.brokers).map(Node::Broker).collect()
    }
    fn address(&self, broker: u32) -> String {
        self.addresses[broker as usize - 1].clone()
    }
    fn topics(&self) -> &dyn TopicAdmin {
        self
    }
    async fn destroy(&self) -> Result<(), RigError> {
        Ok(())
    }
}

#[async_trait]
impl NodeLife for Fake {
    async fn kill(&self, _: &[Node]) -> Result<(), RigError> {
        Self::cannot("kill")
    }
    async fn stop(&self, _: &[Node], _: Duration) -> Result<(), RigError> {
        Self::cannot("stop")
    }
    async fn start(&self, _: &[Node], _: DataFate) -> Result<(), RigError> {
        Self::cannot("start")
    }
    async fn pause(&self, _: &[Node]) -> Result<(), RigError> {
        Self::cannot("pause")
    }
    async fn resume(&self, _: &[Node]) -> Result<(), RigError> {
        Self::cannot("resume")
    }
    async fn state(&self, _: Node) -> Result<NodeState, RigError> {
        Self::cannot("tell")
    }
    async fn obituary(&self, _: Node) -> Result<Option<Death>, RigError> {
        Self::cannot("tell")
    }
}

#[async_trait]
impl TopicAdmin for Fake {
    async fn create_topic(&self, _: &TopicSpec) -> Result<(), AdminError> {
        Self::cannot("create topics")
    }
    async fn alter_topic(&self, _: &str, _: &TopicChange) -> Result<(), AdminError> {
        Self::cannot("alter topics")
    }
    async fn delete_topic(&self, _: &str) -> Result<(), AdminError> {
        Self::cannot("delete topics")
    }
    async fn delete_groups(&self, _: &[String]) -> Result<(), AdminError> {
        Self::cannot("delete groups")
    }
}
