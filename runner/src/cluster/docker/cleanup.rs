//! Removes what runs left: everything that carries the label `kplan.run`.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::future::join_all;
use testcontainers::bollard::{
    Docker,
    errors::Error,
    query_parameters::{
        ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
        RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    },
};

use super::super::RigError;
use super::engine::{connect, failed};

/// Label with the run's id, on every container, network and volume.
pub const RUN_LABEL: &str = "kplan.run";
/// Label with the node, e.g. `broker-1`, on every container.
pub const NODE_LABEL: &str = "kplan.node";
/// Label with the cluster's name within its run.
pub const CLUSTER_LABEL: &str = "kplan.cluster";
/// Label with the process that started it, see [`owner`].
pub const OWNER_LABEL: &str = "kplan.owner";

const LIMIT: Duration = Duration::from_secs(60);
/// Looks this many times in a row that find nothing end a removal: a runner that was killed in
/// the middle of a request may have left one in the engine that is still being served.
const EMPTY_LOOKS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(400);

/// What the engine holds of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The process that started it ([`owner`]), where a label tells.
    pub owner: Option<String>,
    pub containers: Vec<String>,
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
    /// Directories of clusters without containers.
    pub directories: Vec<String>,
}

impl Traces {
    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
            && self.networks.is_empty()
            && self.volumes.is_empty()
            && self.directories.is_empty()
    }

    /// The process that started it is one of this machine, and lives.
    pub fn owner_lives_here(&self) -> bool {
        let here = |owner: &&str| owner.split_once('@').is_some_and(|(_, at)| at == machine());
        self.owner.as_deref().filter(here).is_some_and(lives)
    }

    /// The process that started it still lives. Without a label nobody is known to.
    pub fn owner_lives(&self) -> bool {
        self.owner.as_deref().is_some_and(lives)
    }
}

/// This process as `PID:START@MACHINE`; the start time (clock ticks since boot, proc(5)) tells it
/// from a later process of the same number.
pub fn owner() -> String {
    let pid = std::process::id();
    format!("{pid}:{}@{}", started(pid).unwrap_or_default(), machine())
}

/// Where process numbers mean the same: a boot, and in it a namespace. A container of its own may
/// share the engine with others, and sees none of their processes.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), space.display())
}

/// Field 22 of /proc/PID/stat; the name before it may hold blanks and parentheses.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

fn lives(owner: &str) -> bool {
    let Some((process, boot)) = owner.split_once('@') else { return false };
    let Some((pid, start)) = process.split_once(':') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    // On another machine's engine nothing can be known: whose it is decides.
    boot != machine() || started(pid).as_deref() == Some(start)
}

/// Every run of which the engine holds something, by id.
pub async fn list_runs() -> Result<BTreeMap<String, Traces>, RigError> {
    let docker = connect().await?;
    look(&docker, &[RUN_LABEL.to_owned()]).await
}

/// Removes every container, network and volume of a run. Returns what it found.
pub async fn remove_run(run: &str) -> Result<Traces, RigError> {
    let docker = connect().await?;
    remove(&docker, &[format!("{RUN_LABEL}={run}")], EMPTY_LOOKS).await
}

/// The same for a run that came to its own end and has no request under way: a look that finds nothing
/// is enough.
pub async fn remove_rest(run: &str) -> Result<Traces, RigError> {
    let docker = connect().await?;
    remove(&docker, &[format!("{RUN_LABEL}={run}")], 1).await
}

/// Removes everything with these labels (`key=value`) until it was not seen `looks` times in a row.
pub(super) async fn remove(
    docker: &Docker,
    labels: &[String],
    looks: u32,
) -> Result<Traces, RigError> {
    // A request that hangs ends with the whole.
    let removed = tokio::time::timeout(LIMIT + PAUSE * 10, look_and_remove(docker, labels, looks));
    removed.await.unwrap_or_else(|_| {
        Err(RigError::TimedOut { what: "removing what a run left".to_owned(), limit: LIMIT })
    })
}

async fn look_and_remove(
    docker: &Docker,
    labels: &[String],
    looks: u32,
) -> Result<Traces, RigError> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    let mut found = Traces::default();
    let mut empty = 0;
    loop {
        let mut seen = Traces::default();
        for traces in look(docker, labels).await?.into_values() {
            seen.containers.extend(traces.containers);
            seen.networks.extend(traces.networks);
            seen.volumes.extend(traces.volumes);
        }
        if seen.is_empty() {
            empty += 1;
            if empty >= looks.max(1) {
                return Ok(found);
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

/// Containers first: a network with a container in it cannot go. True when something was refused.
async fn remove_once(docker: &Docker, traces: &Traces) -> bool {
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

async fn look(docker: &Docker, labels: &[String]) -> Result<BTreeMap<String, Traces>, RigError> {
    let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
    let fail = |error: Error| failed("list what runs left", &error);
    let containers = docker
        .list_containers(Some(
            ListContainersOptionsBuilder::new().all(true).filters(&filters).build(),
        ))
        .await
        .map_err(fail)?;
    let networks = docker
        .list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build()))
        .await
        .map_err(fail)?;
    let volumes = docker
        .list_volumes(Some(ListVolumesOptionsBuilder::new().filters(&filters).build()))
        .await
        .map_err(fail)?;
    let mut runs: BTreeMap<String, Traces> = BTreeMap::new();
    for container in containers {
        let traces = entry(&mut runs, container.labels);
        // The id serves when the name is gone in the middle of a removal.
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
    runs: &mut BTreeMap<String, Traces>,
    labels: Option<HashMap<String, String>>,
) -> &mut Traces {
    let mut labels = labels.unwrap_or_default();
    let traces = runs.entry(labels.remove(RUN_LABEL).unwrap_or_default()).or_default();
    traces.owner = traces.owner.take().or(labels.remove(OWNER_LABEL));
    traces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let own = owner();
        assert!(lives(&own), "{own}");
        let pid = std::process::id();
        assert!(!lives(&format!("{pid}:1@{}", machine())));
        assert!(!lives("nonsense"));
        assert!(!lives(""));
    }

    #[test]
    fn without_a_label_nobody_owns_it() {
        assert!(!Traces::default().owner_lives());
        assert!(Traces::default().is_empty());
    }
}
