//! One node: its container, from creation to removal.

use std::{
    collections::BTreeMap,
    mem::ManuallyDrop,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use testcontainers::{
    ContainerAsync, ContainerRequest, CopyTargetOptions, GenericImage, ImageExt,
    bollard::{
        Docker,
        models::{ContainerState, HostConfig, PortBinding},
        query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder},
    },
    core::{IntoContainerPort, Mount},
    runners::AsyncRunner,
};
use tokio::{task::JoinHandle, time::timeout};

use super::super::{Bounds, ClusterSpec, Node, RigError, Version, config};
use super::addresses::{self, Addresses};
use super::disks;
use super::engine::{Image, failed, split_image};
use super::files::{self, File};
use super::logs::{self, Seen};
use super::ports::{self, Reserved};
use super::security::Secured;
use super::subnet;

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
    /// The image of its containers.
    pub image: Image,
    pub labels: BTreeMap<String, String>,
    /// The checkpoint of an earlier cluster's formatted storage, to be copied.
    pub checkpoint: Option<Vec<u8>>,
    /// How the clients' listener is secured, if it is.
    pub secured: Option<Secured>,
}

impl Blueprint {
    /// The same cluster with another version on storage that is formatted already.
    pub fn of_version(&self, version: &Version, image: Image) -> Self {
        let mut other = Self { image, checkpoint: None, ..self.clone() };
        other.spec.version = version.clone();
        other
    }
}

/// Where a living node is.
#[derive(Clone, Copy, Debug)]
pub struct ContainerPlace {
    /// Its address in the cluster's network.
    pub address: IpAddr,
    /// It is paused: no command can be run in it.
    pub paused: bool,
}

/// A node that was started at least once.
pub struct DockerNode {
    pub node: Node,
    /// Its container's name, under which the others find it.
    pub name: String,
    /// Its configuration as written.
    pub properties: String,
    ports: Ports,
    log: Mutex<PathBuf>,
    seen: Seen,
    life: Mutex<ContainerLife>,
}

struct ContainerLife {
    held: Option<Held>,
    /// The follower of this life's output; it ends with the process.
    follower: Option<JoinHandle<()>>,
    /// It should be running.
    wanted: bool,
    /// Its own blueprint, if that differs from the cluster's.
    own: Option<Blueprint>,
}

/// testcontainers removes a container when its value is dropped, and panics without a runtime. This wrapper prevents
/// that: only [`DockerNode::remove`] removes, and the guardian removes what a crash leaves.
struct Held(ManuallyDrop<ContainerAsync<GenericImage>>);

impl DockerNode {
    /// Creates and starts a node's container.
    pub async fn launch(blueprint: &Blueprint, node: Node) -> Result<Self, RigError> {
        let name = blueprint.at.host(node);
        let mut tries = 0;
        let (held, ports, properties) = loop {
            tries += 1;
            let ports = Ports::reserve(blueprint, node)?;
            let files = files::files(blueprint, node, ports.own())?;
            let properties = files.first().map(File::text).unwrap_or_default();
            match create(blueprint, node, &ports, files).await {
                Ok(held) => break (held, ports, properties),
                Err(error) => {
                    discard(&blueprint.docker, &name).await;
                    if !(is_port_taken(&error.to_string()) && tries < PORT_TRIES) {
                        return Err(error);
                    }
                }
            }
        };
        let log = Mutex::new(log_path(&blueprint.spec.dir, node));
        let life = ContainerLife { held: Some(held), follower: None, wanted: true, own: None };
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

    /// The engine's view of its process.
    pub async fn inspect(&self, docker: &Docker) -> Result<ContainerState, RigError> {
        let options = None::<InspectContainerOptions>;
        let answer = docker
            .inspect_container(&self.name, options)
            .await
            .map_err(|error| failed(&format!("inspect {}", self.node), &error))?;
        Ok(answer.state.unwrap_or_default())
    }

    /// Its address in the cluster's network while its process is alive, and whether it is paused.
    pub async fn place(
        &self,
        docker: &Docker,
        network: &str,
    ) -> Result<Option<ContainerPlace>, RigError> {
        let options = None::<InspectContainerOptions>;
        let answer = docker
            .inspect_container(&self.name, options)
            .await
            .map_err(|error| failed(&format!("inspect {}", self.node), &error))?;
        let paused = answer.state.and_then(|s| s.paused) == Some(true);
        let known = answer.network_settings.and_then(|n| n.networks);
        let endpoint = known.and_then(|mut all| all.remove(network));
        let address = endpoint.and_then(|e| e.ip_address).and_then(|ip| ip.parse().ok());
        Ok(address.map(|address| ContainerPlace { address, paused }))
    }

    /// Whether it runs and is not in this network.
    pub async fn is_outside(&self, docker: &Docker, network: &str) -> Result<bool, RigError> {
        let options = None::<InspectContainerOptions>;
        let answer = docker
            .inspect_container(&self.name, options)
            .await
            .map_err(|error| failed(&format!("inspect {}", self.node), &error))?;
        let runs = answer.state.and_then(|s| s.running) == Some(true);
        let inside = answer.network_settings.and_then(|n| n.networks);
        Ok(runs && !inside.is_some_and(|all| all.contains_key(network)))
    }

    /// Puts a new container in the old one's place: same name, port and configuration, no data.
    pub async fn renew(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        self.remove().await?;
        discard(&blueprint.docker, &self.name).await;
        disks::wipe(blueprint, self.node).await?;
        let own = self.life().own.clone();
        self.rebuild(own.as_ref().unwrap_or(blueprint)).await
    }

    /// Puts a new container with other software in the old one's place; the data, on a disk apart
    /// from the container, stays.
    pub async fn exchange(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        self.remove().await?;
        discard(&blueprint.docker, &self.name).await;
        self.rebuild(blueprint).await?;
        self.life().own = Some(blueprint.clone());
        Ok(())
    }

    async fn rebuild(&self, blueprint: &Blueprint) -> Result<(), RigError> {
        let files = files::files(blueprint, self.node, self.host_port())?;
        // The new container's output has its own beginning.
        self.seen.forget();
        let held = create(blueprint, self.node, &self.ports, files).await?;
        self.life().held = Some(held);
        Ok(())
    }

    /// Removes the container and its anonymous volumes. Does nothing if it is removed already.
    pub async fn remove(&self) -> Result<(), RigError> {
        self.set_wanted(false);
        let held = self.life().held.take();
        if let Some(Held(container)) = held {
            let removed = timeout(START_LIMIT, ManuallyDrop::into_inner(container).rm()).await;
            let removed = removed.map_err(|_| {
                let what = format!("the removal of the container of {}", self.node);
                RigError::TimedOut { what, limit: START_LIMIT }
            })?;
            removed.map_err(|error| failed(&format!("remove {}", self.node), &error))?;
        }
        Ok(())
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

async fn create(
    blueprint: &Blueprint,
    node: Node,
    ports: &Ports,
    files: Vec<File>,
) -> Result<Held, RigError> {
    let request = request(blueprint, node, ports, files)?;
    let started = timeout(START_LIMIT, request.start()).await.map_err(|_| {
        let what = format!("the start of the container of {node}");
        RigError::TimedOut { what, limit: START_LIMIT }
    })?;
    let container = started.map_err(|error| failed(&format!("start {node}"), &error))?;
    let held = Held(ManuallyDrop::new(container));
    subnet::settle(blueprint, node).await?;
    Ok(held)
}

fn request(
    blueprint: &Blueprint,
    node: Node,
    ports: &Ports,
    files: Vec<File>,
) -> Result<ContainerRequest<GenericImage>, RigError> {
    let (image, tag) = split_image(&blueprint.image.name);
    let name = blueprint.at.host(node);
    let published = ports.published(node);
    let bindings = published.iter().map(|(inside, host_port)| {
        let binding = PortBinding {
            host_ip: Some(addresses::LOOPBACK.to_owned()),
            host_port: Some(host_port.to_string()),
        };
        (format!("{inside}/tcp"), Some(vec![binding]))
    });
    let bindings = (!published.is_empty()).then(|| bindings.collect());
    let shares = cpu_shares(node);
    let bounds = blueprint.spec.bounds;
    let mut request = GenericImage::new(image, tag)
        .with_entrypoint("/bin/bash")
        .with_cmd([format!("{}/start", addresses::HOME)])
        // No host name of its own: the engine would list the address that it has before it is settled.
        .with_container_name(&name)
        .with_network(&blueprint.at.prefix)
        .with_labels(&blueprint.labels)
        .with_label(super::cleanup::NODE_LABEL, node.slug())
        // As root: network faults need NET_ADMIN, which other users of a container lose.
        .with_user("0:0")
        // No ulimit: an engine that is confined itself cannot raise one, and refuses to start.
        .with_host_config_modifier(move |host| {
            // testcontainers publishes on every address of the machine, and all ports that the
            // image names if none is given.
            host.publish_all_ports = Some(false);
            confine(host, bounds);
            host.cpu_shares = shares;
            host.port_bindings = bindings.clone();
        });
    for (inside, host_port) in published {
        request = request.with_mapped_port(host_port, inside.tcp());
    }
    if let Some(volume) = disks::volume(blueprint, node) {
        request =
            request.with_mount(Mount::volume_mount(volume, format!("{}/data", addresses::HOME)));
    }
    for (key, value) in files::environment(&blueprint.spec, node)? {
        request = request.with_env_var(key, value);
    }
    for file in files {
        let target = CopyTargetOptions::new(file.path).with_mode(file.mode);
        request = request.with_copy_to(target, file.bytes);
    }
    Ok(request)
}

/// Removes a container that a failed start may have left under this name; a missing container is no error.
async fn discard(docker: &Docker, name: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let _ = docker.remove_container(name, Some(options)).await;
}
