//! Removes what runs left behind: everything with the label `kplan.run`.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    Docker,
    errors::Error,
    query_parameters::{
        ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
        RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    },
};
use futures::future::join_all;

use super::super::{RigError, backend::Traces};
use super::engine::{connect, failed};
use crate::engine;

/// Label with the run's id, on every container, network and volume.
pub const RUN_LABEL: &str = "kplan.run";
/// Label with the node, e.g. `broker-1`, on every container.
pub const NODE_LABEL: &str = "kplan.node";
/// Label with the cluster's name within its run.
pub const CLUSTER_LABEL: &str = "kplan.cluster";
/// Label with the process that started it, see [`crate::processes::owner`].
pub const OWNER_LABEL: &str = "kplan.owner";

const LIMIT: Duration = Duration::from_secs(60);
/// A removal ends after this many looks in a row that find nothing: the engine may still be serving a request of a
/// runner that was killed in the middle of it.
const EMPTY_LOOKS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(400);

/// What the engine holds of one run.
#[derive(Clone, Debug, Default)]
struct EngineHolds {
    owner: Option<String>,
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl EngineHolds {
    fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }
}

impl From<EngineHolds> for Traces {
    fn from(held: EngineHolds) -> Self {
        let EngineHolds { owner, containers, networks, volumes } = held;
        let things = [("containers", containers), ("networks", networks), ("volumes", volumes)];
        Self { owner, things: things.into() }
    }
}

/// Every run with containers, networks or volumes in the engine, by id.
pub async fn list_runs() -> Result<BTreeMap<String, Traces>, RigError> {
    let docker = connect().await?;
    let runs = look(&docker, &[RUN_LABEL.to_owned()]).await?;
    Ok(runs.into_iter().map(|(run, held)| (run, held.into())).collect())
}

/// Removes every container, network and volume of a run. Returns what it found.
pub async fn remove_run(run: &str) -> Result<Traces, RigError> {
    let docker = connect().await?;
    remove(&docker, &[format!("{RUN_LABEL}={run}")], EMPTY_LOOKS).await
}

/// The same for a run that ended by itself and has no request under way: one look that finds nothing is enough.
pub async fn remove_rest(run: &str) -> Result<Traces, RigError> {
    let docker = connect().await?;
    remove(&docker, &[format!("{RUN_LABEL}={run}")], 1).await
}

/// Removes everything with these labels (`key=value`) until `looks` looks in a row find nothing.
pub(super) async fn remove(
    docker: &Docker,
    labels: &[String],
    looks: u32,
) -> Result<Traces, RigError> {
    // The limit also ends a request that hangs.
    let removed = tokio::time::timeout(LIMIT + PAUSE * 10, look_and_remove(docker, labels, looks));
    removed.await.unwrap_or_else(|_| {
        Err(RigError::TimedOut { what: "removing what a run left behind".to_owned(), limit: LIMIT })
    })
}

async fn look_and_remove(
    docker: &Docker,
    labels: &[String],
    looks: u32,
) -> Result<Traces, RigError> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    let mut found = EngineHolds::default();
    let mut empty = 0;
    loop {
        let mut seen = EngineHolds::default();
        for traces in look(docker, labels).await?.into_values() {
            seen.containers.extend(traces.containers);
            seen.networks.extend(traces.networks);
            seen.volumes.extend(traces.volumes);
        }
        if seen.is_empty() {
            empty += 1;
            if empty >= looks.max(1) {
                return Ok(found.into());
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(RigError::TimedOut { what: format!("removing {seen:?}"), limit: LIMIT });
        }
        empty = 0;
        let trouble = remove_once(docker, &seen).await;
        merge(&mut found.containers, seen.containers);
        merge(&mut found.networks, seen.networks);
        merge(&mut found.volumes, seen.volumes);
        if trouble {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn merge(all: &mut Vec<String>, more: Vec<String>) {
    all.extend(more);
    all.sort_unstable();
    all.dedup();
}

/// Removes containers first: a network with a container in it cannot be removed. True if the engine refused a
/// removal.
async fn remove_once(docker: &Docker, traces: &EngineHolds) -> bool {
    let containers = traces.containers.iter().map(|name| async move {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        docker.remove_container(name, Some(options)).await
    });
    let mut results = join_all(containers).await;
    let networks = traces.networks.iter().map(|name| docker.remove_network(name));
    results.extend(join_all(networks).await);
    let volumes =
        traces.volumes.iter().map(|name| docker.remove_volume(name, None::<RemoveVolumeOptions>));
    results.extend(join_all(volumes).await);
    results.into_iter().any(|result| match result {
        Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => false,
        Err(_) => true,
    })
}

async fn look(
    docker: &Docker,
    labels: &[String],
) -> Result<BTreeMap<String, EngineHolds>, RigError> {
    let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
    let fail = |error: Error| failed("list what runs left behind", &error);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = engine::list(docker, all).await.map_err(fail)?;
    let networks = docker
        .list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build()))
        .await
        .map_err(fail)?;
    let volumes = docker
        .list_volumes(Some(ListVolumesOptionsBuilder::new().filters(&filters).build()))
        .await
        .map_err(fail)?;
    let mut runs: BTreeMap<String, EngineHolds> = BTreeMap::new();
    for container in containers {
        let traces = entry(&mut runs, container.labels);
        // The id is used if the name is missing in the middle of a removal.
        let name = container.names.unwrap_or_default().into_iter().next();
        let name = name.map(|name| name.trim_start_matches('/').to_owned()).or(container.id);
        traces.containers.extend(name);
    }
    for network in networks {
        // Names of networks are not unique, ids are.
        entry(&mut runs, network.labels).networks.extend(network.id.or(network.name));
    }
    for volume in volumes.volumes.unwrap_or_default() {
        entry(&mut runs, Some(volume.labels)).volumes.push(volume.name);
    }
    Ok(runs)
}

fn entry(
    runs: &mut BTreeMap<String, EngineHolds>,
    labels: Option<HashMap<String, String>>,
) -> &mut EngineHolds {
    let mut labels = labels.unwrap_or_default();
    let traces = runs.entry(labels.remove(RUN_LABEL).unwrap_or_default()).or_default();
    traces.owner = traces.owner.take().or(labels.remove(OWNER_LABEL));
    traces
}
