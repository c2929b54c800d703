//! The one object that everything of a run belongs to: with it everything is removed.
//!
//! It is a Job without pods whose deadline the runner extends. If the runner dies, Kubernetes ends the Job at its deadline,
//! removes it, and with it all that it owns: nobody needs to come back for that.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Resource as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::super::RigError;
use super::{
    api::{KubeApi, asked},
    objects::{NEVER_PULLED, OWNER_ANNOTATION, RUN_LABEL, made_of},
};
use crate::processes;

/// How long a run exists in Kubernetes after its runner last said that it lives.
pub const GRACE: Duration = Duration::from_secs(90);
/// Time between two extensions.
const PAUSE: Duration = Duration::from_secs(15);

/// The owner of a run's objects. While this value lives, so does the Job.
pub struct RunOwner {
    pub reference: OwnerReference,
    extends: JoinHandle<()>,
}

impl RunOwner {
    /// Makes the Job of a run, and keeps it.
    pub async fn of(api: &KubeApi, run: &str) -> Result<Self, RigError> {
        let begun = Instant::now();
        let name = name(run);
        let job = made_of(json!({
            "metadata": {
                "name": name,
                "labels": { RUN_LABEL: run },
                "annotations": { OWNER_ANNOTATION: processes::owner() },
            },
            "spec": {
                "parallelism": 0,
                "backoffLimit": 0,
                "activeDeadlineSeconds": GRACE.as_secs(),
                "ttlSecondsAfterFinished": 0,
                "template": { "spec": {
                    "restartPolicy": "Never",
                    "containers": [{ "name": "none", "image": NEVER_PULLED }],
                } },
            },
        }))?;
        let what = format!("make the job {name}, which all objects of the run belong to");
        let job = asked(&what, api.jobs().create(&PostParams::default(), &job)).await?;
        let reference = job.owner_ref(&()).ok_or_else(|| {
            RigError::Other(format!("Kubernetes made the job {name} without an id"))
        })?;
        let extends = tokio::spawn(extend(api.clone(), name, begun));
        Ok(Self { reference, extends })
    }

    /// Takes the deadline away: what belongs to it stays until somebody removes it.
    pub async fn keep(&self, api: &KubeApi) -> Result<(), RigError> {
        self.extends.abort();
        let what = "take the deadline from the run that is kept";
        set_deadline(api, &self.reference.name, json!(null), what).await
    }
}

impl Drop for RunOwner {
    fn drop(&mut self) {
        self.extends.abort();
    }
}

/// The name of a run's Job.
pub fn name(run: &str) -> String {
    format!("kplan-{run}")
}

/// Moves the deadline on. An answer that does not come costs nothing: the next one is in time.
async fn extend(api: KubeApi, name: String, begun: Instant) {
    loop {
        sleep(PAUSE).await;
        // Kubernetes counts from the start of the Job, which is after `begun`.
        let deadline = (begun.elapsed() + GRACE).as_secs();
        let _ = set_deadline(&api, &name, json!(deadline), "extend the deadline of the run").await;
    }
}

async fn set_deadline(
    api: &KubeApi,
    name: &str,
    deadline: Value,
    what: &str,
) -> Result<(), RigError> {
    let patch = Patch::Merge(json!({ "spec": { "activeDeadlineSeconds": deadline } }));
    asked(what, api.jobs().patch(name, &PatchParams::default(), &patch)).await.map(drop)
}
