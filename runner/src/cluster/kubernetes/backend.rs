//! The backend `kubernetes`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kplan_dsl::{Abilities, Capability};
use tokio::sync::{Mutex, OnceCell};

use super::{
    KubernetesCluster, NAME,
    api::{KubeApi, asked},
    cleanup,
    objects::RUN_LABEL,
    owner::{self, RunOwner},
    permits,
};
use crate::cluster::{
    Cluster, ClusterSpec, RigError, Version,
    backend::{Backend, Chosen, Enrolled, Line, Setup, Sweep, Traces},
    preload,
};

/// What it cannot do yet, or never.
const LACKS: [Capability; 4] =
    [Capability::Containers, Capability::Security, Capability::Acls, Capability::Upgrade];

/// Real Kafka in pods.
#[derive(Default)]
pub struct KubernetesBackend {
    /// Image template of the command line.
    image: Option<String>,
    /// What Kubernetes was found not to permit.
    lacks: BTreeSet<Capability>,
    api: OnceCell<KubeApi>,
    /// The owner of each run of this process.
    owners: Mutex<BTreeMap<String, RunOwner>>,
}

impl KubernetesBackend {
    async fn api(&self) -> Result<&KubeApi, RigError> {
        self.api.get_or_try_init(KubeApi::configured).await
    }

    /// The owner of a run, made with its first cluster.
    async fn owner(&self, run: &str) -> Result<OwnerReference, RigError> {
        let mut owners = self.owners.lock().await;
        if let Some(owner) = owners.get(run) {
            return Ok(owner.reference.clone());
        }
        let owner = RunOwner::of(self.api().await?, run).await?;
        let reference = owner.reference.clone();
        owners.insert(run.to_owned(), owner);
        Ok(reference)
    }
}

impl Enrolled for KubernetesBackend {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "real Kafka in pods of the Kubernetes that kubectl uses";
    // The cluster may be far away, and is not this user's alone.
    const STANDING: bool = false;

    fn choose(setup: Setup) -> Chosen {
        Chosen::plain(Self { image: setup.image, lacks: setup.lacks, ..Self::default() })
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self) -> Abilities {
        let found = self.lacks.iter().copied().chain(preload::lacks());
        let lacks: Vec<Capability> = LACKS.into_iter().chain(found).collect();
        Abilities::without(NAME, &lacks).advise(advice)
    }

    async fn lacks(&self, needed: Capability) -> Result<bool, RigError> {
        match needed {
            Capability::NetworkPartition | Capability::NetworkDegradation => {
                Ok(permits::network_faults(self.api().await?).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    async fn reach(&self) -> Result<(), RigError> {
        let api = self.api().await?;
        permits::all_rights(api).await?;
        permits::pods(api).await
    }

    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
        let image = image(&spec.version, spec.image.as_deref().or(self.image.as_deref()));
        let owner = self.owner(&spec.run).await?;
        let api = self.api().await?.clone();
        Ok(Arc::new(KubernetesCluster::launch(api, &owner, spec, &image).await?))
    }

    async fn runs(&self) -> Result<BTreeMap<String, Traces>, RigError> {
        cleanup::list_runs(self.api().await?).await
    }

    async fn sweep(&self, run: &str, _how: Sweep) -> Result<Traces, RigError> {
        let labels = [(RUN_LABEL.to_owned(), run.to_owned())].into();
        cleanup::remove(self.api().await?, &labels).await
    }

    async fn keep(&self, run: &str) -> Result<(), RigError> {
        match self.owners.lock().await.get(run) {
            Some(owner) => owner.keep(self.api().await?).await,
            None => Ok(()),
        }
    }

    /// The run ends by itself at its deadline.
    fn patience(&self) -> Duration {
        owner::GRACE
    }

    async fn examine(&self) -> Vec<Line> {
        let looked = async {
            let api = self.api().await?;
            let version = asked("say its version", api.client().apiserver_version()).await?;
            Ok::<_, RigError>((api, version.git_version))
        };
        let (api, version) = match looked.await {
            Ok(both) => both,
            Err(error) => return vec![Line::missing("Kubernetes", &error)],
        };
        let mut lines =
            vec![Line::good("Kubernetes", format!("{version}, namespace {}", api.namespace))];
        lines.push(match self.reach().await {
            Ok(()) => Line::good("rights in Kubernetes", "all that a run needs".to_owned()),
            Err(error) => Line::missing("rights in Kubernetes", &error),
        });
        let network = "network faults";
        lines.push(match permits::network_faults(api).await {
            Ok(None) => Line::good(network, "pods may have the privilege NET_ADMIN".to_owned()),
            Ok(Some(refusal)) => Line::lacking(network, &refusal),
            Err(error) => Line::lacking(network, &error),
        });
        lines
    }
}

fn advice(capability: Capability) -> &'static str {
    match capability {
        Capability::NetworkPartition | Capability::NetworkDegradation => {
            "pods of this namespace must not change their network: `kplan doctor --backend \
             kubernetes` shows why"
        }
        _ => "run it in containers: --backend docker",
    }
}

/// The image of a version: the template's, else `KPLAN_IMAGE`'s, else Apache's.
fn image(version: &Version, template: Option<&str>) -> String {
    let env = std::env::var("KPLAN_IMAGE").ok().filter(|value| !value.is_empty());
    let template = template.or(env.as_deref()).unwrap_or("apache/kafka:{version}");
    template.replace("{version}", &version.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_templates_or_apaches() {
        let version: Version = "4.1.1".parse().expect("a version");
        assert_eq!(image(&version, Some("r:5/k:{version}")), "r:5/k:4.1.1");
    }
}
