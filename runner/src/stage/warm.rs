//! A running cluster that is handed on from one plan to the next that declares the same one.

use std::sync::Arc;

use crate::{
    cluster::{Cluster, ClusterSpec, NodeState},
    event::SuiteId,
    stage::Running,
};

/// A cluster between two plans.
pub struct Warm {
    pub cluster: Arc<dyn Cluster>,
    /// Its declaration: [`key`].
    pub key: String,
    /// The suite that used it last.
    pub suite: SuiteId,
}

impl std::fmt::Debug for Warm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a cluster of suite {}", self.suite)
    }
}

/// The declaration of a cluster: everything except its name, its run and its log directory.
pub fn key(spec: &ClusterSpec) -> String {
    let alike = ClusterSpec {
        run: String::new(),
        name: String::new(),
        dir: std::path::PathBuf::new(),
        ..spec.clone()
    };
    let secured = spec.security.as_ref().map(|s| (s.protocol, s.mechanism, &s.users));
    format!("{}{secured:?}", serde_json::to_string(&alike).unwrap_or_default())
}

/// Checks that a cluster of an earlier plan is complete and empty.
pub async fn fit(running: &Running) -> Result<(), String> {
    sound(running).await?;
    match own_topics(running).await.first() {
        None => Ok(()),
        Some(topic) => Err(format!("the topic {topic} still exists")),
    }
}

/// Checks that a cluster is complete.
pub async fn sound(running: &Running) -> Result<(), String> {
    running.cluster.check().await.map_err(|e| e.to_string())?;
    for node in running.cluster.nodes() {
        match running.cluster.state(node).await {
            Ok(NodeState::Running) => {}
            Ok(_) => return Err(format!("{node} does not run")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

async fn own_topics(running: &Running) -> Vec<String> {
    let view = running.observer.fresh().await;
    view.topics.iter().filter(|(_, t)| !t.internal).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;

    use indexmap::IndexMap;

    use super::*;
    use crate::cluster::Quorum;

    pub fn spec(name: &str, brokers: u32) -> ClusterSpec {
        ClusterSpec {
            run: "r".into(),
            name: name.into(),
            version: "4.1.1".parse().expect("a version"),
            mode: Quorum::KraftCombined,
            brokers,
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
            bounds: Default::default(),
            security: None,
            dir: std::path::PathBuf::from(name),
        }
    }

    #[test]
    fn the_same_cluster_is_declared_by_all_but_its_names() {
        assert_eq!(key(&spec("s1", 3)), key(&spec("s2", 3)));
        assert_ne!(key(&spec("s1", 3)), key(&spec("s1", 1)));
        let set = IndexMap::from([("log.retention.ms".to_owned(), "1".to_owned())]);
        assert_ne!(key(&spec("s1", 3)), key(&ClusterSpec { config: set, ..spec("s1", 3) }));
    }
}
