//! Disks of nodes outside the container's own layer, where a plan needs them: of a limited
//! size, so that they can be filled, or independent of the container, so that it can be replaced, or so that a dead
//! node's data can be (`power`, `damage`).
//!
//! A limited disk is a volume in memory. Such a volume lives as long as a container uses it, and a
//! broker's container stops whenever the broker dies: a holder, which only sleeps, keeps them all.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bollard::{
    Docker,
    errors::Error,
    models::{ContainerCreateBody, HostConfig, VolumeCreateRequest},
    query_parameters::RemoveVolumeOptions,
};

use super::super::{
    Acted, ClusterSpec, Node, RigError,
    contained::{
        command::Output,
        power,
        shell::DiskShell,
        space::{self, BLOCK},
    },
};
use super::{
    DockerCluster, NAME,
    cleanup::{OWNER_LABEL, RUN_LABEL},
    config,
    engine::failed,
    exec,
    node::Blueprint,
};
use crate::{
    history::{RunClock, now_us},
    new_container::start_new,
    processes,
};

/// Where the holder sees the disks.
const DISKS: &str = "/disks";

/// The volume of a node's data; none if the data is in the container.
pub fn volume(blueprint: &Blueprint, node: Node) -> Option<String> {
    let spec = &blueprint.spec;
    let apart = spec.disk.is_some() || spec.exchangeable || spec.damaged || spec.preload.power;
    (apart && !matches!(node, Node::Zookeeper(_)))
        .then(|| format!("{}-data", blueprint.at.host(node)))
}

/// The volume of what the object needs, if a node has it.
pub fn preload_volume(blueprint: &Blueprint, node: Node) -> Option<String> {
    let host = blueprint.at.host(node);
    blueprint.spec.preloads(node).then(|| format!("{host}-preload"))
}

/// Where the holder sees a node's data.
pub fn data_of(node: Node) -> String {
    format!("{DISKS}/{}", node.slug())
}

/// Where the holder sees what the object in a node needs.
pub fn preload_of(node: Node) -> String {
    format!("{DISKS}/{}-preload", node.slug())
}

/// The name of the container that holds the disks.
pub fn holder(blueprint: &Blueprint) -> String {
    format!("{}-disks", blueprint.at.prefix)
}

fn request(name: &str, labels: &BTreeMap<String, String>) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels.clone().into_iter().collect::<HashMap<_, _>>()),
        ..Default::default()
    }
}

/// Creates a volume in memory of a limited size. Fails with the engine's answer where it makes none.
pub async fn limited_volume(
    docker: &Docker,
    name: &str,
    labels: &BTreeMap<String, String>,
    size: u64,
) -> Result<(), Error> {
    // podman takes an option `size` for a quota of the file system below, and refuses it where there are none; other
    // options of a volume in memory it passes on to the kernel. Blocks are the kernel's pages.
    let blocks = size.div_ceil(BLOCK);
    let mut refused = None;
    for limit in [format!("size={size}"), format!("nr_blocks={blocks}")] {
        let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", &limit)];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let request =
            VolumeCreateRequest { driver_opts: Some(options.into()), ..request(name, labels) };
        match docker.create_volume(request).await {
            Ok(_) => return Ok(()),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Whether the engine makes no disks of a limited size: tried with one that is removed at once.
pub async fn are_refused(docker: &Docker) -> Result<bool, RigError> {
    let run = format!("try-{}", std::process::id());
    let name = format!("kplan-{run}-disk");
    let labels = [(RUN_LABEL, run), (OWNER_LABEL, processes::owner())];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    match limited_volume(docker, &name, &labels, BLOCK).await {
        Ok(()) => {
            let removed = docker.remove_volume(&name, None::<RemoveVolumeOptions>).await;
            removed.map_err(|error| failed("remove a volume", &error))?;
            Ok(false)
        }
        // An answer, and not a connection that broke.
        Err(Error::DockerResponseServerError { .. }) => Ok(true),
        Err(error) => Err(failed("create a volume", &error)),
    }
}

async fn plain_volume(blueprint: &Blueprint, name: &str) -> Result<(), Error> {
    blueprint.docker.create_volume(request(name, &blueprint.labels)).await.map(drop)
}

/// Creates the volumes and the container that holds them.
pub async fn create(blueprint: &Blueprint) -> Result<(), RigError> {
    let mut binds = Vec::new();
    for node in config::nodes(&blueprint.spec) {
        if let Some(name) = volume(blueprint, node) {
            let limited = blueprint.spec.disk.filter(|_| matches!(node, Node::Broker(_)));
            let made = match limited {
                Some(size) => {
                    limited_volume(&blueprint.docker, &name, &blueprint.labels, size).await
                }
                None => plain_volume(blueprint, &name).await,
            };
            made.map_err(|error| failed(&format!("create a disk for {node}"), &error))?;
            binds.push(format!("{name}:{}", data_of(node)));
        }
        if let Some(name) = preload_volume(blueprint, node) {
            let made = plain_volume(blueprint, &name).await;
            made.map_err(|error| failed(&format!("create a second disk for {node}"), &error))?;
            binds.push(format!("{name}:{}", preload_of(node)));
        }
    }
    if binds.is_empty() {
        return Ok(());
    }
    let body = ContainerCreateBody {
        image: Some(blueprint.image.name.clone()),
        entrypoint: Some(vec!["/bin/bash".to_owned()]),
        cmd: Some(vec!["-c".to_owned(), "exec sleep infinity".to_owned()]),
        user: Some("0:0".to_owned()),
        labels: Some(blueprint.labels.clone().into_iter().collect()),
        host_config: Some(HostConfig {
            binds: Some(binds),
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let files = power::restore_file(&blueprint.spec).into_iter().collect();
    let started = start_new(&blueprint.docker, &holder(blueprint), body, files).await;
    started.map_err(|error| failed("start the container that holds the disks", &error))
}

/// Empties a disk, as after its loss.
pub async fn wipe(blueprint: &Blueprint, node: Node) -> Result<(), RigError> {
    if volume(blueprint, node).is_none() {
        return Ok(());
    }
    // What else the object has there is no part of the disk: a clock stays wrong.
    let (data, power) = (data_of(node), format!("{}/power", preload_of(node)));
    let script = format!("find {data} -mindepth 1 -delete && rm -rf {power}");
    let output = exec::script(&blueprint.docker, &holder(blueprint), &script).await?;
    if output.succeeded() {
        return Ok(());
    }
    Err(RigError::Other(format!("the disk of {node} could not be emptied: {}", output.text())))
}

/// The container that holds the disks runs the scripts: a dead container cannot.
#[async_trait]
impl DiskShell for DockerCluster {
    fn named(&self) -> &'static str {
        NAME
    }

    fn built(&self) -> &ClusterSpec {
        &self.blueprint.spec
    }

    fn data_dir(&self, node: Node) -> String {
        data_of(node)
    }

    fn preload_dir(&self, node: Node) -> String {
        preload_of(node)
    }

    async fn at_disk(&self, _: Node, script: &str) -> Result<Output, RigError> {
        exec::script(self.docker(), &holder(&self.blueprint), script).await
    }
}

impl DockerCluster {
    /// Fills a broker's disk up to `leave` free bytes, and checks that the space is taken.
    pub(super) async fn fill(&self, node: Node, leave: u64) -> Result<Acted, RigError> {
        let size = space::size(&self.blueprint.spec, node, NAME)?;
        let begun_us = now_us();
        let script = space::fill_script(&data_of(node), size, leave);
        let output = exec::script(self.docker(), &holder(&self.blueprint), &script).await?;
        space::filled(node, &output, leave)?;
        Ok(Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now()))
    }

    /// Frees the space, and checks that it is free.
    pub(super) async fn free(&self, node: Node) -> Result<u64, RigError> {
        let script = space::free_script(&data_of(node));
        let output = exec::script(self.docker(), &holder(&self.blueprint), &script).await?;
        space::freed(node, &output)
    }
}
