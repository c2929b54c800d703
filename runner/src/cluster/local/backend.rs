//! The backend `local`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use kplan_dsl::{Abilities, Capability, value::TESTED};
use tokio::time::{Instant, sleep};

use super::{LocalCluster, NAME, cleanup, java, software};
use crate::{
    cluster::{
        Cluster, ClusterSpec, RigError, Version,
        backend::{Backend, Chosen, Enrolled, Line, NODE_BYTES, Setup, Sweep, Traces},
        preload,
    },
    out::tell,
};

/// How long processes that were killed may go on writing below their directories.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Real Kafka as processes on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalBackend {
    /// The directory of an Apache Kafka distribution (`libs/*.jar`), with `{version}` for the version; none:
    /// the cache, into which Kafka is fetched if needed.
    pub kafka_dir: Option<String>,
}

impl Enrolled for LocalBackend {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str =
        "real Kafka as processes on this machine: needs Java, no container engine";

    fn choose(setup: Setup) -> Chosen {
        Chosen::plain(Self { kafka_dir: setup.kafka_dir })
    }
}

#[async_trait]
impl Backend for LocalBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self) -> Abilities {
        use Capability::*;
        let lacks = [
            NetworkPartition,
            NetworkDegradation,
            FullDisk,
            Disks,
            Images,
            Containers,
            Security,
            Acls,
        ];
        let lacks: Vec<Capability> = lacks.into_iter().chain(preload::lacks()).collect();
        Abilities::without(NAME, &lacks).advise(|_| "run it in containers: --backend docker")
    }

    /// Finds Java and every version, and fetches missing versions.
    async fn prepare(&self, versions: &BTreeSet<String>, run: &str) -> Result<(), RigError> {
        java::find().await?;
        for text in versions {
            // The step itself reports an invalid version.
            let Ok(version) = text.parse::<Version>() else { continue };
            if self.kafka_dir.is_none() && software::cached(&version).is_none() {
                tell!("fetching Kafka {version} into kplan's cache (once)");
            }
            software::find(&version, self.kafka_dir.as_deref(), run).await?;
        }
        Ok(())
    }

    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
        Ok(Arc::new(LocalCluster::launch(self.clone(), spec).await?))
    }

    async fn runs(&self) -> Result<BTreeMap<String, Traces>, RigError> {
        Ok(cleanup::list_runs())
    }

    /// Repeats until the last process of the run is dead: until then it may write new files.
    async fn sweep(&self, run: &str, _: Sweep) -> Result<Traces, RigError> {
        let end = Instant::now() + LIMIT;
        loop {
            match cleanup::remove_run(run) {
                Ok(traces) => return Ok(traces),
                Err(error) if Instant::now() > end => {
                    return Err(RigError::Other(error.to_string()));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Java, and Kafka's jars or Maven to fetch them. Nothing is fetched.
    async fn examine(&self) -> Vec<Line> {
        let mut lines = vec![match java::find().await {
            Ok(java) => Line::good("local: Java", java.version),
            Err(error) => Line::missing("local: Java", &error),
        }];
        let versions: Vec<Version> = TESTED.iter().filter_map(|text| text.parse().ok()).collect();
        if let Some(dir) = &self.kafka_dir {
            lines.push(given(dir, &versions).await);
            return lines;
        }
        let there = versions.iter().filter(|v| software::cached(v).is_some());
        let names: Vec<String> = there.map(ToString::to_string).collect();
        lines.push(match software::can_fetch().await {
            Ok(maven) => Line::good("local: Maven", maven),
            Err(error) if names.is_empty() => Line::missing("local: Maven", &error),
            // Versions in the cache work without Maven.
            Err(error) => Line::lacking("local: Maven", &error),
        });
        let found = match names.is_empty() {
            true => "none yet; the first run fetches it".to_owned(),
            false => format!("{} in the cache", names.join(", ")),
        };
        lines.push(Line::good("local: Kafka", found));
        lines
    }

    fn node_bytes(&self) -> u64 {
        NODE_BYTES
    }
}

/// A directory that the user names: it must hold at least one version.
async fn given(dir: &str, versions: &[Version]) -> Line {
    let mut found = Vec::new();
    let mut refusal: Option<RigError> = None;
    for version in versions {
        match software::find(version, Some(dir), "").await {
            Ok(software) => found.push(software.version.to_string()),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) if found.is_empty() => Line::missing("local: Kafka", &error),
        _ => Line::good("local: Kafka", format!("{} in {dir}", found.join(", "))),
    }
}
