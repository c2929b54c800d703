//! The calls of nodes in containers on their disks: a file that each node maps says which of them fail or take longer.

use async_trait::async_trait;

use super::super::{
    Acted, CallFaults, CallsMet, DiskCallAbility, Node, RigError, disk_calls, preload,
};
use super::{
    command::{BY, FROM, Output},
    shell::DiskShell,
};
use crate::history::{RunClock, now_us};

#[async_trait]
impl<S: DiskShell> DiskCallAbility for S {
    async fn set_calls(&self, node: Node, faults: &CallFaults) -> Result<Acted, RigError> {
        let begun_us = now_us();
        // Each word is written by a call of its own.
        let bytes = disk_calls::escaped(&faults.bytes());
        let write = "dd bs=8 conv=notrunc iflag=fullblock status=none";
        let script = |file: &str| {
            format!("{FROM}; printf '{bytes}' | {write} of={file} && {BY} && echo set")
        };
        let output = with_calls(self, node, script).await?;
        match output.text().lines().any(|line| line.trim() == "set") {
            true => Ok(Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now())),
            false => Err(preload::no_calls(node, &output.text())),
        }
    }

    async fn calls_met(&self, node: Node) -> Result<CallsMet, RigError> {
        let (at, size) = (disk_calls::COUNTS_AT, disk_calls::COUNTS * 8);
        let script = |file: &str| format!("od -An -v -w{size} -tu8 -j{at} -N{size} {file}");
        let output = with_calls(self, node, script).await?;
        let text = output.text();
        let counts: Vec<u64> = text.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let counts = counts.try_into().map_err(|_| preload::no_calls(node, &text))?;
        Ok(CallsMet::read(counts))
    }
}

/// Runs a script with the file of a node's calls.
async fn with_calls(
    shell: &dyn DiskShell,
    node: Node,
    script: impl Fn(&str) -> String,
) -> Result<Output, RigError> {
    if !shell.built().preload.disks {
        return Err(preload::without(shell.named(), "let calls on a disk fail or take longer"));
    }
    let script = script(&format!("{}/calls", shell.preload_dir(node)));
    shell.at_disk(node, &script).await
}
