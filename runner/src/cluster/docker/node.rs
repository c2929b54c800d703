//! One node: its container, from creation to removal.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bollard::{
    Docker,
    errors::Error,
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerState, HostConfig, Mount,
        MountType, PortBinding,
    },
    query_parameters::RemoveContainerOptionsBuilder,
};
use tokio::{task::JoinHandle, time::timeout};

use super::super::{
    Bounds, ClusterSpec, Node, RigError, Version, config,
    contained::{
        Secured,
        files::{self, File},
        network::NetworkPlace,
        output::Seen,
        preloads::PRELOAD,
    },
};
use super::{
    addresses::{self, Addresses},
    cleanup, disks,
    engine::{Image, failed},
    logs,
    ports::{self, Reserved},
    subnet,
};
use crate::{
    engine::{self, ContainerIs},
    new_container::start_new,
};

/// The port is checked before the start, but another process may take it in between.
const PORT_TRIES: u32 = 5;
/// How long the engine may take to make and start one container.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What all nodes of a cluster have in common.
#[derive(Clone)]
pub struct Blueprint {
    /// What was asked for.
    pub spec: ClusterSpec,
    pub docker: Docker,
    /// Where nodes reach each other.
    pub at: Addresses,
    /// The nodes' addresses in the cluster's network; empty before that is made.
    pub ips: BTreeMap<Node, Ipv4Addr>,
    /// The engine's own address in that network.
    pub gateway: Option<Ipv4Addr>,
    /// The image of its containers.
    pub image: Image,
    pub labels: BTreeMap<String, String>,
    /// The checkpoint of an earlier cluster's formatted storage, to be copied.
    pub checkpoint: Option<Vec<u8>>,
    /// How the clients' listener is secured, if it is.
    pub secured: Option<Secured>,
}

impl Blueprint {
    /// Every file of a node.
    fn files(&self, node: Node, host_port: u16) -> Result<Vec<File>, RigError> {
        let (spec, at) = (&self.spec, &self.at);
        let (secured, checkpoint) = (self.secured.as_ref(), self.checkpoint.as_deref());
        files::files(&files::OfCluster { spec, at, secured, checkpoint }, node, host_port)
    }

    /// The same cluster with another version on storage that is formatted already.
    pub fn of_version(&self, version: &Version, image: Image) -> Self {
        let mut other = Self { image, checkpoint: None, ..self.clone() };
        other.spec.version = version.clone();
        other
    }
}

/// A node that was started at least once.
pub struct DockerNode {
    pub node: Node,
    /// Its container's name, which is its host name.
    pub name: String,
    /// Its configuration as written.
    pub properties: String,
    ports: Ports,
    log: Mutex<PathBuf>,
    seen: Seen,
    life: Mutex<ContainerLife>,
}

struct ContainerLife {
    /// The follower of this life's output; it ends with the process.
    follower: Option<JoinHandle<()>>,
    /// It should be running.
    wanted: bool,
    /// Its own blueprint, if that differs from the cluster's.
    own: Option<Blueprint>,
}

impl DockerNode {
    /// Creates and starts a node's container.
    pub async fn launch(blueprint: &Blueprint, node: Node) -> Result<Self, RigError> {
        let name = blueprint.at.host(node);
        let mut tries = 0;
        let (ports, properties) = loop {
            tries += 1;
            let ports = Ports::reserve(blueprint, node)?;
            let files = blueprint.files(node, ports.own())?;
            let properties = files.first().map(File::text).unwrap_or_default();
            match create(blueprint, node, &ports, files).await {
                Ok(()) => break (ports, properties),
                Err(error) => {
                    // What is left of it has its name.
                    let _ = discard(&blueprint.docker, node, &name).await;
                    if !(is_port_taken(&error.to_string()) && tries < PORT_TRIES) {
                        return Err(error);
                    }
                }
            }
        };
        let log = Mutex::new(log_path(&blueprint.spec.dir, node));
        let life = ContainerLife { follower: None, wanted: true, own: None };
        let this = Self {
            node,
            name,
            properties,
            ports,
            log,
            seen: Seen::default(),
            life: Mutex::new(life),
        };
        this.follow(&blueprint.docker);
        Ok(this)
    }

    /// The port on 127.0.0.1 under which this machine reaches it; 0 for a node that is not
    /// published.
    pub fn host_port(&self) -> u16 {
        self.ports.own()
    }

    /// The port under which this machine reaches its listener for controllers, if that is published.
    pub fn controller_port(&self) -> Option<u16> {
        self.ports.controller.as_ref().map(|(_, reserved)| reserved.port)
    }

    /// Follows the output of the container that has just started.
    pub fn follow(&self, docker: &Docker) {
        let (docker, name) = (docker.clone(), self.name.clone());
        let follower = logs::follow(docker, name, self.log_path(), self.seen.clone());
        self.life().follower = Some(follower);
    }

    /// From now on its output is written below another directory.
    pub fn move_log(&self, docker: &Docker, dir: &Path) {
        if let Some(follower) = self.take_follower() {
            // The follower writes whole lines between two waits, and records each.
            follower.abort();
        }
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log_path(dir, self.node);
        self.follow(docker);
    }

    pub fn log_path(&self) -> PathBuf {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why its output can no longer be written, if it cannot.
    pub fn log_trouble(&self) -> Option<String> {
        let why = self.seen.trouble()?;
        Some(format!(
            "the log of {} cannot be written to {}: {why}",
            self.node,
            self.log_path().display()
        ))
    }

    /// Sets whether it should be running.
    pub fn set_wanted(&self, wanted: bool) {
        self.life().wanted = wanted;
    }

    /// True if it should be running and its output has ended: it may be dead.
    pub fn looks_dead(&self) -> bool {
        let life = self.life();
        life.wanted && life.follower.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// True if it should be running and its output goes on.
    pub fn looks_alive(&self) -> bool {
        self.life().wanted && !self.looks_dead()
    }

    /// The task that follows its output, to wait for.
    pub fn take_follower(&self) -> Option<JoinHandle<()>> {
        self.life().follower.take()
    }

    /// What the engine knows of its container.
    async fn look(&self, docker: &Docker) -> Result<ContainerInspectResponse, RigError> {
        let known = engine::inspect(docker, &self.name).await;
        known.map_err(|error| failed(&format!("inspect {}", self.node), &error))
    }

    /// What its process does.
    pub async fn is(&self, docker: &Docker) -> Result<ContainerIs, RigError> {
        Ok((&self.inspect(docker).await?).into())
    }

    /// The engine's view of its process.
    pub async fn inspect(&self, docker: &Docker) -> Result<ContainerState, RigError> {
        let answer = self.look(docker).await?;
        Ok(answer.state.unwrap_or_default())
    }

    /// Its address in the cluster's network while its process is alive, and whether it is paused.
    pub async fn place(
        &self,
        docker: &Docker,
        network: &str,
    ) -> Result<Option<NetworkPlace>, RigError> {
        let answer = self.look(docker).await?;
        let paused = answer.state.and_then(|s| s.paused) == Some(true);
        let known = answer.network_settings.and_then(|n| n.networks);
        let endpoint = known.and_then(|mut all| all.remove(network));
        let address = endpoint.and_then(|e| e.ip_address).and_then(|ip| ip.parse().ok());
        Ok(address.map(|address| NetworkPlace { address, paused }))
    }

    /// Whether it runs and is not in this network.
    pub async fn is_outside(&self, docker: &Docker, network: &str) -> Result<bool, RigError> {
        let answer = self.look(docker).await?;
        let runs = answer.state.and_then(|s| s.running) == Some(true);
        let inside = answer.network_settings.and_then(|n| n.networks);
        Ok(runs && !inside.is_some_and(|all| all.contains_key(network)))
    }

    /// Puts a new container in the old one's place: same name, port and configuration, no data.
    pub async fn renew(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        self.remove(&blueprint.docker).await?;
        disks::wipe(blueprint, self.node).await?;
        let own = self.life().own.clone();
        self.rebuild(own.as_ref().unwrap_or(blueprint)).await
    }

    /// Puts a new container with other software in the old one's place; the data, on a disk apart
    /// from the container, stays.
    pub async fn exchange(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        self.remove(&blueprint.docker).await?;
        self.rebuild(blueprint).await?;
        self.life().own = Some(blueprint.clone());
        Ok(())
    }

    async fn rebuild(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        let files = blueprint.files(self.node, self.host_port())?;
        // The new container's output has its own beginning.
        self.seen.forget();
        create(blueprint, self.node, &self.ports, files).await
    }

    /// Removes the container and its anonymous volumes; one that is removed already is no error.
    pub async fn remove(&self, docker: &Docker) -> Result<(), RigError> {
        self.set_wanted(false);
        discard(docker, self.node, &self.name).await
    }

    fn life(&self) -> MutexGuard<'_, ContainerLife> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_path(dir: &Path, node: Node) -> PathBuf {
    dir.join("logs").join(format!("{}.log", node.slug()))
}

/// The port inside that is published, if any.
fn published_port(node: Node) -> Option<u16> {
    match node {
        Node::Broker(_) => Some(addresses::EXTERNAL_PORT),
        Node::Zookeeper(_) => Some(addresses::ZOOKEEPER_PORT),
        Node::Controller(_) => None,
    }
}

/// Ports of this machine under which a node is reached.
#[derive(Debug)]
struct Ports {
    own: Option<Reserved>,
    /// Its listener for controllers, which only the observer uses: the one with a login where clients log in, so
    /// that the cluster has no open access.
    controller: Option<(u16, Reserved)>,
}

impl Ports {
    fn reserve(blueprint: &Blueprint, node: Node) -> Result<Self, RigError> {
        let spec = &blueprint.spec;
        let inside = match config::has_controller_login(spec, node) {
            true => addresses::CONTROLLER_LOGIN_PORT,
            false => addresses::CONTROLLER_PORT,
        };
        let reserve = || Ok::<_, RigError>((inside, ports::reserve()?));
        Ok(Self {
            own: published_port(node).map(|_| ports::reserve()).transpose()?,
            controller: config::votes(spec, node).then(reserve).transpose()?,
        })
    }

    /// 0 for a node that is not published.
    fn own(&self) -> u16 {
        self.own.as_ref().map_or(0, |reserved| reserved.port)
    }

    /// Ports inside, and those of this machine.
    fn published(&self, node: Node) -> Vec<(u16, u16)> {
        let own = published_port(node).zip(self.own.as_ref());
        let controller = self.controller.as_ref().map(|(inside, r)| (*inside, r));
        own.into_iter().chain(controller).map(|(inside, r)| (inside, r.port)).collect()
    }
}

/// While everything starts at once, all brokers wait for ZooKeeper or the controllers: with few processors those get
/// more time. The other nodes keep the engine's default of 1024.
fn cpu_shares(node: Node) -> Option<i64> {
    match node {
        Node::Broker(_) => None,
        Node::Controller(_) | Node::Zookeeper(_) => Some(4096),
    }
}

/// The engine's default privileges that Kafka does not need; the others are for its files and signals, and NET_RAW
/// is for iptables.
const NEEDLESS: [&str; 5] = ["AUDIT_WRITE", "MKNOD", "SETFCAP", "SETPCAP", "SYS_CHROOT"];
/// A broker has some hundred threads.
const MOST_PROCESSES: i64 = 4096;

/// Limits a container to the resources and privileges that the plan needs and the command line allows.
fn confine(host: &mut HostConfig, bounds: Bounds) {
    host.cap_add = bounds.network_faults.then(|| vec!["NET_ADMIN".to_owned()]);
    host.cap_drop = Some(NEEDLESS.map(str::to_owned).to_vec());
    host.security_opt = Some(vec!["no-new-privileges".to_owned()]);
    host.pids_limit = Some(MOST_PROCESSES);
    let memory = bounds.memory.and_then(|bytes| i64::try_from(bytes).ok());
    host.memory = memory;
    // Together with swap: no more than without.
    host.memory_swap = memory;
}

/// True for the engine's error text when a port could not be published.
pub fn is_port_taken(error: &str) -> bool {
    ["port is already allocated", "address already in use"]
        .iter()
        .any(|words| error.contains(words))
}

/// Makes the container with its files, and starts it.
async fn create(
    blueprint: &Blueprint,
    node: Node,
    ports: &Ports,
    files: Vec<File>,
) -> Result<(), RigError> {
    let what = format!("start {node}");
    let body = body(blueprint, node, ports)?;
    let docker = blueprint.docker.clone().with_timeout(START_LIMIT);
    let name = blueprint.at.host(node);
    let started = start_new(&docker, &name, body, files);
    let started = timeout(START_LIMIT, started).await.map_err(|_| {
        let what = format!("the start of the container of {node}");
        RigError::TimedOut { what, limit: START_LIMIT }
    })?;
    started.map_err(|error| failed(&what, &error))
}

fn body(blueprint: &Blueprint, node: Node, ports: &Ports) -> Result<ContainerCreateBody, RigError> {
    let published = ports.published(node);
    let binding = |(inside, port): &(u16, u16)| {
        let host_ip = Some(addresses::LOOPBACK.to_owned());
        let binding = PortBinding { host_ip, host_port: Some(port.to_string()) };
        (format!("{inside}/tcp"), Some(vec![binding]))
    };
    let mount = |volume, target| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume),
        target: Some(target),
        ..Default::default()
    };
    let data =
        disks::volume(blueprint, node).map(|v| mount(v, format!("{}/data", addresses::HOME)));
    let copy = disks::preload_volume(blueprint, node).map(|v| mount(v, PRELOAD.to_owned()));
    let mut host = HostConfig {
        network_mode: Some(blueprint.at.prefix.clone()),
        port_bindings: Some(published.iter().map(binding).collect()),
        mounts: Some(data.into_iter().chain(copy).collect()),
        cpu_shares: cpu_shares(node),
        // No ulimit: an engine that is confined itself cannot raise one, and refuses to start.
        ..Default::default()
    };
    confine(&mut host, blueprint.spec.bounds);
    let environment = files::environment(&blueprint.spec, node)?;
    let mut labels: HashMap<String, String> = blueprint.labels.clone().into_iter().collect();
    labels.insert(cleanup::NODE_LABEL.to_owned(), node.slug());
    Ok(ContainerCreateBody {
        image: Some(blueprint.image.name.clone()),
        hostname: Some(blueprint.at.host(node)),
        entrypoint: Some(vec!["/bin/bash".to_owned()]),
        cmd: Some(vec![format!("{}/start", addresses::HOME)]),
        // As root: network faults need NET_ADMIN, which other users of a container lose.
        user: Some("0:0".to_owned()),
        env: Some(environment.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(labels),
        exposed_ports: Some(published.iter().map(|(inside, _)| format!("{inside}/tcp")).collect()),
        host_config: Some(host),
        networking_config: Some(subnet::endpoint(blueprint, node)),
        ..Default::default()
    })
}

/// Removes a node's container; one that is not there is no error.
async fn discard(docker: &Docker, node: Node, name: &str) -> Result<(), RigError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let removed = timeout(START_LIMIT, docker.remove_container(name, Some(options))).await;
    match removed {
        Ok(Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(()),
        Ok(Err(error)) => Err(failed(&format!("remove {node}"), &error)),
        Err(_) => {
            let what = format!("the removal of the container of {node}");
            Err(RigError::TimedOut { what, limit: START_LIMIT })
        }
    }
}
