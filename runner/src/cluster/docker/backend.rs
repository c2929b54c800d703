//! The backend `docker`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use indicatif::HumanBytes;
use kplan_dsl::{Abilities, Capability, value::TESTED};

use super::{DockerCluster, NAME, cleanup, connect, describe, disks, find_image, trial};
use crate::cluster::{
    Cluster, ClusterSpec, RigError,
    backend::{Backend, Chosen, Enrolled, Health, Line, NODE_BYTES, Setup, Sweep, Traces},
    preload,
};

/// How long the guardian waits for an engine that stopped during a run.
const ENGINE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Real Kafka in containers.
#[derive(Clone, Debug, Default)]
pub struct DockerBackend {
    /// Image template of the command line.
    image: Option<String>,
    /// What the engine was found not to be able to do.
    lacks: BTreeSet<Capability>,
}

impl Enrolled for DockerBackend {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "real Kafka in containers";

    fn choose(setup: Setup) -> Chosen {
        Chosen::plain(Self { image: setup.image, lacks: setup.lacks })
    }
}

#[async_trait]
impl Backend for DockerBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self) -> Abilities {
        let lacks = self.lacks.iter().copied().chain(preload::lacks()).collect::<Vec<_>>();
        Abilities::without(NAME, &lacks).advise(|_| {
            "this container engine cannot do it, others can (docs/backends.md): `kplan doctor` \
             shows its answer"
        })
    }

    async fn lacks(&self, needed: Capability) -> Result<bool, RigError> {
        match needed {
            Capability::FullDisk => disks::are_refused(&connect().await?).await,
            // The object is for kplan's own kind of processor.
            Capability::PowerLoss | Capability::SkewClock | Capability::DiskCalls => {
                Ok(describe().await?.processor != std::env::consts::ARCH)
            }
            _ => Ok(false),
        }
    }

    async fn reach(&self) -> Result<(), RigError> {
        connect().await.map(drop)
    }

    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
        Ok(Arc::new(DockerCluster::launch(spec).await?))
    }

    async fn runs(&self) -> Result<BTreeMap<String, Traces>, RigError> {
        cleanup::list_runs().await
    }

    async fn sweep(&self, run: &str, how: Sweep) -> Result<Traces, RigError> {
        match how {
            Sweep::All => cleanup::remove_run(run).await,
            Sweep::Rest => cleanup::remove_rest(run).await,
        }
    }

    fn patience(&self) -> Duration {
        ENGINE_LIMIT
    }

    async fn examine(&self) -> Vec<Line> {
        let both = async { Ok((connect().await?, describe().await?)) };
        let (docker, engine) = match both.await {
            Ok(both) => both,
            Err(error) => {
                return vec![Line::missing("container engine", &error)];
            }
        };
        let cpus = engine.cpus.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let memory = engine.memory.map_or_else(|| "?".to_owned(), |n| HumanBytes(n).to_string());
        let words = format!("{} on {}: {cpus} processors, {memory}", engine.version, engine.system);
        let mut lines = vec![Line::good("container engine", words)];
        let mut first = None;
        let mut images = Vec::new();
        for text in TESTED {
            let Ok(version) = text.parse() else { continue };
            match find_image(&docker, &version, self.image.as_deref()).await {
                Ok(image) => {
                    images.push(Line::good(&format!("image of {text}"), image.name.clone()));
                    first.get_or_insert(image.name);
                }
                Err(error) => images.push(Line::missing(&format!("image of {text}"), &error)),
            }
        }
        if first.is_some() {
            // One image is enough to run plans of that version.
            let missing = images.iter_mut().filter(|l| l.state == Health::Missing);
            missing.for_each(|l| l.state = Health::Lacks);
        }
        lines.extend(images);
        if let Some(image) = first {
            match trial::all(&docker, &image).await {
                Ok(tried) => lines.extend(trial::lines(&tried)),
                Err(error) => lines.push(Line::missing("a container", &error)),
            }
        }
        lines
    }

    fn node_bytes(&self) -> u64 {
        NODE_BYTES
    }

    fn hands_on(&self) -> bool {
        true
    }
}
