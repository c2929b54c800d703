//! Removes what runs left behind: every Job with the label `kplan.run`, and with it all that belongs to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::try_join_all;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams},
};
use tokio::time::{Instant, sleep};

use super::super::{RigError, backend::Traces};
use super::{
    api::{KubeApi, asked, is_absent},
    objects::{OWNER_ANNOTATION, RUN_LABEL},
};

/// How long the objects of a run may take to be gone.
const LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(250);

/// The objects of one run.
#[derive(Default)]
struct KubeObjects {
    jobs: Vec<Job>,
    pods: Vec<Pod>,
    services: Vec<String>,
    secrets: Vec<String>,
}

impl KubeObjects {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty()
            && self.pods.is_empty()
            && self.services.is_empty()
            && self.secrets.is_empty()
    }
}

impl From<KubeObjects> for Traces {
    fn from(found: KubeObjects) -> Self {
        let owner =
            found.jobs.iter().find_map(|job| job.annotations().get(OWNER_ANNOTATION).cloned());
        let jobs = found.jobs.iter().map(|job| job.name_any()).collect();
        let pods = found.pods.iter().map(|pod| pod.name_any()).collect();
        let things = [
            ("jobs", jobs),
            ("pods", pods),
            ("services", found.services),
            ("secrets", found.secrets),
        ];
        Self { owner, things: things.into() }
    }
}

/// Everything with these labels, or with the label of any run.
async fn look(api: &KubeApi, labels: &str) -> Result<KubeObjects, RigError> {
    let params = ListParams::default().labels(labels);
    let what = "list what runs left behind";
    let (jobs, pods) = (api.jobs(), api.pods());
    let (services, secrets) = (api.services(), api.secrets());
    let (jobs, pods, services, secrets) = tokio::try_join!(
        asked(what, jobs.list(&params)),
        asked(what, pods.list(&params)),
        asked(what, services.list(&params)),
        asked(what, secrets.list(&params)),
    )?;
    Ok(KubeObjects {
        jobs: jobs.items,
        pods: pods.items,
        services: services.items.iter().map(|one| one.name_any()).collect(),
        secrets: secrets.items.iter().map(|one| one.name_any()).collect(),
    })
}

/// Every run with objects in the namespace, by id.
pub async fn list_runs(api: &KubeApi) -> Result<BTreeMap<String, Traces>, RigError> {
    let found = look(api, RUN_LABEL).await?;
    let of = |labels: &BTreeMap<String, String>| labels.get(RUN_LABEL).cloned();
    let jobs = found.jobs.iter().filter_map(|job| of(job.labels()));
    let runs: BTreeSet<String> =
        jobs.chain(found.pods.iter().filter_map(|pod| of(pod.labels()))).collect();
    let traces = async |run: String| {
        let found = look(api, &format!("{RUN_LABEL}={run}")).await?;
        Ok::<_, RigError>((run, found.into()))
    };
    Ok(try_join_all(runs.into_iter().map(traces)).await?.into_iter().collect())
}

/// Removes everything with these labels, and waits until it is gone. Returns what was there.
pub async fn remove(api: &KubeApi, labels: &BTreeMap<String, String>) -> Result<Traces, RigError> {
    let selector: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let selector = selector.join(",");
    let deadline = Instant::now() + LIMIT;
    let mut first: Option<Traces> = None;
    loop {
        let found = look(api, &selector).await?;
        if found.is_empty() {
            return Ok(first.unwrap_or_default());
        }
        if Instant::now() >= deadline {
            let what = format!("removing {}", Traces::from(found).counts());
            return Err(RigError::TimedOut { what, limit: LIMIT });
        }
        remove_once(api, &found).await?;
        first.get_or_insert_with(|| found.into());
        sleep(PAUSE).await;
    }
}

async fn remove_once(api: &KubeApi, found: &KubeObjects) -> Result<(), RigError> {
    let (background, soon) = (DeleteParams::background(), DeleteParams::default().grace_period(1));
    for job in &found.jobs {
        gone(api.jobs().delete(&job.name_any(), &background).await)?;
    }
    for pod in found.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        gone(api.pods().delete(&pod.name_any(), &soon).await)?;
    }
    for name in &found.services {
        gone(api.services().delete(name, &background).await)?;
    }
    for name in &found.secrets {
        gone(api.secrets().delete(name, &background).await)?;
    }
    Ok(())
}

/// What is gone already is no error.
fn gone<T>(answer: Result<T, kube::Error>) -> Result<(), RigError> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(super::api::failed("remove what a run left behind", &error)),
    }
}
