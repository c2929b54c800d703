//! The backend `external`.

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{Abilities, BackendFile, Capability, EnvNames, by_command, read_backend};

use super::{ExternalCluster, NAME, client_config};
use crate::cluster::{
    Cluster, ClusterSpec, RigError,
    backend::{Backend, Chosen, Enrolled, Line, Setup},
};

/// Capabilities that need processes which kplan starts or sees.
const LACKS: [Capability; 15] = [
    Capability::Images,
    Capability::Containers,
    Capability::BrokerSettings,
    Capability::Security,
    Capability::Upgrade,
    Capability::FullDisk,
    Capability::PowerLoss,
    Capability::SkewClock,
    Capability::DamageFiles,
    Capability::DiskCalls,
    Capability::Disks,
    Capability::NetworkPartition,
    Capability::NetworkDegradation,
    Capability::Listeners,
    Capability::BrokerLogs,
];

/// An existing cluster that a file describes.
pub struct ExternalBackend {
    /// The parsed file; none if it has mistakes.
    file: Option<Arc<BackendFile>>,
}

impl ExternalBackend {
    /// The cluster of this file.
    pub fn of(file: Arc<BackendFile>) -> Self {
        Self { file: Some(file) }
    }
}

impl Enrolled for ExternalBackend {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "an existing cluster that FILE describes, see docs/backends.md";
    const USAGE: &'static str = "external=FILE";

    /// Reads the file. The user names it on the command line and so trusts it like a program: its commands need no
    /// `--allow-run`, and its templates may read the whole environment.
    fn choose(setup: Setup) -> Chosen {
        let Some(path) = setup.file else { return Chosen::plain(Self { file: None }) };
        // Names and values that are not UTF-8 cannot be named in a file.
        let vars = std::env::vars_os();
        let texts = vars.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let env = EnvNames { allowed: texts.collect(), trusted: true };
        let read = read_backend(&path, &env).and(setup.refused);
        let wrong = !read.diagnostics.is_empty();
        Chosen {
            backend: Arc::new(Self { file: read.file.map(Arc::new) }),
            reported: wrong.then_some((read.diagnostics, read.sources)),
        }
    }
}

#[async_trait]
impl Backend for ExternalBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    /// What Kafka's protocol can do, and what the file has a command for. If the file has mistakes, all possible
    /// abilities are assumed, so that only its mistakes are reported.
    fn abilities(&self) -> Abilities {
        let commands = self.file.as_ref().map(|file| file.lacks()).unwrap_or_default();
        let encrypted = self.client_config().get("security.protocol").is_some_and(|protocol| {
            let protocol = protocol.to_ascii_lowercase();
            protocol.ends_with("ssl")
        });
        let unreadable = encrypted.then_some(Capability::Requests);
        let lacks: Vec<Capability> = LACKS.into_iter().chain(commands).chain(unreadable).collect();
        let advice = |capability| match by_command(capability) {
            true => {
                "give the backend file a command for it, or run it in containers: --backend docker"
            }
            false if capability == Capability::KeepDown => {
                "its brokers come back by themselves: leave `for`, `during` and `down_for` out, and wait for what must \
                 hold after the kill"
            }
            false if capability == Capability::Requests => {
                "its connections are encrypted: give the backend file a listener without TLS"
            }
            false => "run it in containers: --backend docker",
        };
        let file = self.file.as_ref().and_then(|file| file.version.as_ref());
        let version = file.map(|version| version.text().to_owned());
        let brokers = self.file.as_ref().map(|file| file.numbers()).unwrap_or_default();
        Abilities {
            borrowed: true,
            brokers,
            version,
            ..Abilities::without(NAME, &lacks).advise(advice)
        }
    }

    fn client_config(&self) -> IndexMap<String, String> {
        self.file.as_ref().map(|file| client_config(file)).unwrap_or_default()
    }

    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
        let file = self.file.clone().ok_or_else(|| {
            RigError::Other("the backend file of the external cluster cannot be used".to_owned())
        })?;
        Ok(Arc::new(ExternalCluster::attach(file, spec).await?))
    }

    /// No lines: it needs its file.
    async fn examine(&self) -> Vec<Line> {
        Vec::new()
    }

    /// Several plans on one cluster would break each other's brokers.
    fn at_once(&self) -> Option<u32> {
        Some(1)
    }
}
