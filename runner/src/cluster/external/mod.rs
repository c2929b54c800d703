//! An existing cluster: kplan attaches to it, breaks its brokers with the commands of the backend
//! file, and leaves it as it was.
//!
//! kplan starts none of its processes and sees none of them. A broker counts as alive if it answers.
//! Topics that the plan created are deleted at the end, brokers that it took down are
//! started again, settings, quotas and permissions that it changed are set back (`stage/altered`);
//! nothing else is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use indexmap::IndexMap;
use kplan_dsl::BackendFile;

mod backend;
mod command;
mod found;
mod give_back;
mod lifecycle;
mod proof;

pub use backend::ExternalBackend;

use self::found::FoundCluster;
use super::{ClusterSpec, NodeState, RigError, admin::Topics};
use crate::{
    client::routes::{Router, Routes},
    wire::Credentials,
};

const NAME: &str = "external";

/// What kplan did to a broker last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerLife {
    /// Nothing, or the broker has answered since it was started.
    Up,
    /// Started, but has not answered yet.
    Starting,
    /// Killed or stopped.
    Down,
    Paused,
}

impl BrokerLife {
    /// The state that is known without asking the broker.
    fn state(self) -> Option<NodeState> {
        match self {
            Self::Up => None,
            Self::Starting => Some(NodeState::Running),
            Self::Down => Some(NodeState::Dead),
            Self::Paused => Some(NodeState::Paused),
        }
    }
}

/// A cluster that kplan did not start.
pub struct ExternalCluster {
    file: Arc<BackendFile>,
    spec: ClusterSpec,
    found: FoundCluster,
    credentials: Credentials,
    topics: Topics,
    /// None if the file gives no address of a broker.
    router: Option<Arc<Router>>,
    lives: Mutex<BTreeMap<u32, BrokerLife>>,
    /// Topics that the plan created and did not delete.
    created: Mutex<BTreeSet<String>>,
}

impl ExternalCluster {
    /// Finds the cluster and compares it with what the plan declares.
    pub async fn attach(file: Arc<BackendFile>, spec: ClusterSpec) -> Result<Self, RigError> {
        std::fs::create_dir_all(spec.dir.join("logs")).map_err(|error| {
            RigError::Other(format!("cannot create {}: {error}", spec.dir.join("logs").display()))
        })?;
        let client = client_config(&file);
        let credentials = Credentials::from_client_config(&client);
        let found = found::find(&file, &client, &credentials).await?;
        found::compare(&file, &spec, &found)?;
        let addresses: Vec<&str> = found.brokers.values().map(|b| b.address.as_str()).collect();
        let router = router(&file, &found, &client);
        let topics = Topics::new(&addresses.join(","), &client).routed(router.clone());
        let lives = found.brokers.keys().map(|id| (*id, BrokerLife::Up)).collect();
        Ok(Self {
            file,
            spec,
            found,
            credentials,
            topics,
            router,
            lives: Mutex::new(lives),
            created: Mutex::default(),
        })
    }

    fn lives(&self) -> MutexGuard<'_, BTreeMap<u32, BrokerLife>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn created(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self, broker: u32) -> BrokerLife {
        self.lives().get(&broker).copied().unwrap_or(BrokerLife::Up)
    }

    fn set(&self, brokers: &[u32], life: BrokerLife) {
        self.lives().extend(brokers.iter().map(|broker| (*broker, life)));
    }
}

/// Maps the brokers' advertised addresses to those of the file; a broker that the file does not name is reached
/// at its advertised address.
fn router(
    file: &BackendFile,
    found: &FoundCluster,
    settings: &IndexMap<String, String>,
) -> Option<Arc<Router>> {
    let given: BTreeMap<u32, String> =
        file.brokers.0.iter().map(|(id, at)| (id.value, at.as_str().to_owned())).collect();
    if given.is_empty() {
        return None;
    }
    let own = found.brokers.iter().map(|(id, broker)| (*id, broker.advertised.clone()));
    let routes = Routes { given, advertised: own.collect(), settings: settings.clone() };
    Some(Arc::new(Router::new(routes)))
}

/// The settings that every client of the cluster needs.
fn client_config(file: &BackendFile) -> IndexMap<String, String> {
    file.client.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
