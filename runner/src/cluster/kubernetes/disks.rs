//! The disks of pods: a pod outlives its node, so scripts run in the container of the node itself.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::super::{
    Acted, ClusterSpec, DiskAbility, Node, RigError,
    addresses::HOME,
    contained::{archive::unpack, command::Output, preloads::PRELOAD, shell::DiskShell, space},
};
use super::{KubernetesCluster, NAME, api::CONTAINER};
use crate::history::{RunClock, now_us};

#[async_trait]
impl DiskShell for KubernetesCluster {
    fn named(&self) -> &'static str {
        NAME
    }

    fn built(&self) -> &ClusterSpec {
        &self.spec
    }

    fn data_dir(&self, _: Node) -> String {
        format!("{HOME}/data")
    }

    fn preload_dir(&self, _: Node) -> String {
        PRELOAD.to_owned()
    }

    async fn at_disk(&self, node: Node, script: &str) -> Result<Output, RigError> {
        self.api.script(&self.node(node)?.pod, script).await
    }
}

#[async_trait]
impl DiskAbility for KubernetesCluster {
    async fn take_space(&self, node: Node, leave: u64) -> Result<Acted, RigError> {
        let size = space::size(&self.spec, node, NAME)?;
        let begun_us = now_us();
        let script = space::fill_script(&format!("{HOME}/data"), size, leave);
        let output = self.api.script(&self.node(node)?.pod, &script).await?;
        space::filled(node, &output, leave)?;
        Ok(Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now()))
    }

    async fn give_space(&self, node: Node) -> Result<u64, RigError> {
        let script = space::free_script(&format!("{HOME}/data"));
        space::freed(node, &self.api.script(&self.node(node)?.pod, &script).await?)
    }

    async fn segments(
        &self,
        broker: u32,
        (topic, partition): (&str, u32),
        into: &Path,
        most: u64,
    ) -> Result<Vec<PathBuf>, RigError> {
        let node = self.node(Node::Broker(broker))?;
        let dir = format!("{topic}-{partition}");
        let script = format!(
            "cd {HOME}/data && [[ -d {dir} ]] || exit 3\n\
             n=$(cat {dir}/*.log | wc -c); ((n <= {most})) || {{ echo $n; exit 4; }}\n\
             exec tar -cf - {dir}/*.log"
        );
        let output =
            self.api.run(&node.pod, CONTAINER, &["/bin/bash", "-c", &script], false).await?;
        let cannot = |why: String| {
            RigError::Other(format!(
                "cannot read {topic}/{partition} on the disk of {}: {why}",
                node.node
            ))
        };
        match output.status {
            Some(0) => {
                unpack(&output.text[..], into, most).await.map_err(|e| cannot(e.to_string()))
            }
            Some(3) => Ok(Vec::new()),
            Some(4) => Err(cannot(format!("it holds more than {most} bytes"))),
            _ => Err(cannot(output.text().trim().to_owned())),
        }
    }
}
