//! kplan's own object, which the plans that need it have loaded into the processes of their nodes, and the program that
//! takes the power from a data directory. Both are in C, without a C library (`runner/preload`): one object runs in
//! images with glibc and with musl.

use serde::{Deserialize, Serialize};

use super::{ClusterSpec, Node, RigError};

/// The object, for `LD_PRELOAD`.
pub const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kplan-preload.so"));
/// The program `restore DATA POWER [SEED]`.
pub const RESTORE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kplan-restore"));

/// Whether they were built: only for Linux.
pub const fn is_built() -> bool {
    !OBJECT.is_empty()
}

/// What the object does in the nodes of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// It follows what is synced, because the plan takes the power from nodes.
    pub power: bool,
}

impl ClusterSpec {
    /// Whether it is followed what a node syncs. Not of ZooKeeper, which does not start again after a power loss until the
    /// kernel has written its first snapshot: it never syncs that.
    pub fn follows_power(&self, node: Node) -> bool {
        self.preload.power && !matches!(node, Node::Zookeeper(_))
    }
}

/// What a node that lost its power had not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotSynced {
    /// Files that are gone or became shorter; if a share survives, those that lost pages.
    pub files: u64,
    /// Bytes that they lost.
    pub bytes: u64,
}

impl NotSynced {
    /// Reads what the program `restore` prints.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut number = |name| (words.next()? == name).then(|| words.next()?.parse().ok())?;
        Some(Self { files: number("files")?, bytes: number("bytes")? })
    }
}

impl std::fmt::Display for NotSynced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, bytes } = self;
        match (files, bytes) {
            (0, _) => f.write_str("no file became shorter"),
            _ => write!(f, "{bytes} bytes of {files} files were not synced"),
        }
    }
}

/// The variables with which a node's process has the object and follows what is synced of a data directory.
pub fn power_variables(object: &str, data: &str, power: &str) -> [(&'static str, String); 3] {
    let text = str::to_owned;
    [("LD_PRELOAD", text(object)), ("KPLAN_POWER_DATA", text(data)), ("KPLAN_POWER", text(power))]
}

/// The error for a node of which it is not known what it has synced.
pub fn unknown(why: &str) -> RigError {
    let what = "what a node has synced is not known, so its power cannot be taken";
    RigError::Other(format!("{what}: {}", why.trim()))
}

/// The error for a cluster that was started without the object.
pub fn without(backend: &'static str) -> RigError {
    let what = "take the power from a node whose cluster was started without that ability";
    RigError::Unsupported { backend, what: what.to_owned() }
}

#[cfg(test)]
#[path = "preload_tests.rs"]
mod tests;
