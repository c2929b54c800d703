//! The calls of nodes in containers on their disks: a file that each node maps says which of them fail or take longer.

use async_trait::async_trait;

use super::super::{
    Acted, CallFaults, CallsMet, DiskCallAbility, Node, RigError, disk_calls, preload,
};
use super::{
    DockerCluster, NAME,
    addresses::HOME,
    disks,
    exec::{self, BY, FROM},
    power::PRELOAD,
};
use crate::history::{RunClock, now_us};

/// The part of a node's start script after which its calls can be made to fail or to take longer.
pub fn script() -> String {
    let file = format!("{PRELOAD}/calls");
    let exports = preload::disk_variables(&format!("{HOME}/data"), &file)
        .map(|(name, value)| format!("export {name}={value}\n"))
        .concat();
    format!("[[ -e {file} ]] || head -c {} /dev/zero >{file}\n{exports}", disk_calls::CALLS_BYTES)
}

#[async_trait]
impl DiskCallAbility for DockerCluster {
    async fn set_calls(&self, node: Node, faults: &CallFaults) -> Result<Acted, RigError> {
        let begun_us = now_us();
        // Each word is written by a call of its own.
        let bytes = disk_calls::escaped(&faults.bytes());
        let write = "dd bs=8 conv=notrunc iflag=fullblock status=none";
        let script = |file: &str| {
            format!("{FROM}; printf '{bytes}' | {write} of={file} && {BY} && echo set")
        };
        let output = self.with_calls(node, script).await?;
        match output.text().lines().any(|line| line.trim() == "set") {
            true => Ok(Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now())),
            false => Err(preload::no_calls(node, &output.text())),
        }
    }

    async fn calls_met(&self, node: Node) -> Result<CallsMet, RigError> {
        let (at, size) = (disk_calls::COUNTS_AT, disk_calls::COUNTS * 8);
        let script = |file: &str| format!("od -An -v -w{size} -tu8 -j{at} -N{size} {file}");
        let output = self.with_calls(node, script).await?;
        let text = output.text();
        let counts: Vec<u64> = text.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let counts = counts.try_into().map_err(|_| preload::no_calls(node, &text))?;
        Ok(CallsMet::read(counts))
    }
}

impl DockerCluster {
    /// Runs a script with the file of a node where the files of all nodes are.
    async fn with_calls(
        &self,
        node: Node,
        script: impl Fn(&str) -> String,
    ) -> Result<exec::Output, RigError> {
        if !self.blueprint.spec.preload.disks {
            return Err(preload::without(NAME, "let calls on a disk fail or take longer"));
        }
        let script = script(&format!("{}/calls", disks::preload_of(node)));
        exec::script(self.docker(), &disks::holder(&self.blueprint), &script).await
    }
}
