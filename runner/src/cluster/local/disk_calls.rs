//! The calls of processes on their disks: a file that each node maps says which of them fail or take longer.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::super::{
    Acted, CallFaults, CallsMet, DiskCallAbility, Node, RigError,
    disk_calls::{CALLS_BYTES, COUNTS, COUNTS_AT},
    preload,
};
use super::{LocalCluster, NAME, failed};
use crate::history::now_us;

fn path(home: &Path) -> PathBuf {
    home.join("calls")
}

/// Makes everything ready for a start after which the node's calls can be made to fail or to take longer. Returns its
/// variables.
pub fn prepare(home: &Path) -> Result<[(&'static str, String); 2], RigError> {
    let path = path(home);
    if !path.exists() {
        fs::write(&path, [0; CALLS_BYTES]).map_err(|error| failed("write", &path, &error))?;
    }
    let text = |path: &Path| path.display().to_string();
    Ok(preload::disk_variables(&text(&home.join("data")), &text(&path)))
}

/// Each word is written by a call of its own.
fn set(file: &File, faults: &CallFaults) -> io::Result<()> {
    let bytes = faults.bytes();
    (0..).zip(bytes.chunks(8)).try_for_each(|(at, word)| file.write_all_at(word, at * 8))
}

fn counts(file: &File) -> io::Result<CallsMet> {
    let mut counts = [0; COUNTS];
    for (at, count) in (0..).zip(&mut counts) {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, COUNTS_AT + at * 8)?;
        *count = u64::from_ne_bytes(bytes);
    }
    Ok(CallsMet::read(counts))
}

impl LocalCluster {
    fn with_calls<T>(
        &self,
        node: Node,
        work: impl Fn(&File) -> io::Result<T>,
    ) -> Result<T, RigError> {
        if !self.common.spec.preload.disks {
            return Err(preload::without(NAME, "let calls on a disk fail or take longer"));
        }
        let path = path(self.node(node)?.home());
        let file = File::options().read(true).write(true).open(&path);
        file.and_then(|file| work(&file)).map_err(|error| failed("use", &path, &error))
    }
}

#[async_trait]
impl DiskCallAbility for LocalCluster {
    async fn set_calls(&self, node: Node, faults: &CallFaults) -> Result<Acted, RigError> {
        let begun_us = now_us();
        self.with_calls(node, |file| set(file, faults))?;
        Ok(Acted::since(begun_us))
    }

    async fn calls_met(&self, node: Node) -> Result<CallsMet, RigError> {
        self.with_calls(node, counts)
    }
}
