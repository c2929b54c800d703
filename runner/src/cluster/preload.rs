//! kplan's own object, which the plans that need it have loaded into the processes of their nodes, and the program that
//! takes the power from a data directory. Both are in C, without a C library (`runner/preload`): one object runs in
//! images with glibc and with musl.

use std::collections::BTreeSet;

use kplan_dsl::Capability;
use serde::{Deserialize, Serialize};

use super::{ClusterSpec, Node, RigError};

/// The object, for `LD_PRELOAD`.
pub const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kplan-preload.so"));
/// The program `restore DATA POWER [SEED]`.
pub const RESTORE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kplan-restore"));

/// What cannot be done where they were not built: elsewhere than on Linux.
pub fn lacks() -> impl Iterator<Item = Capability> {
    let all = [Capability::PowerLoss, Capability::SkewClock, Capability::DiskCalls];
    all.into_iter().filter(|_| OBJECT.is_empty())
}

/// What the object does in the nodes of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// It follows what is synced, because the plan takes the power from nodes.
    pub power: bool,
    /// It answers with another time, because the plan skews clocks.
    pub clocks: bool,
    /// It lets calls on the data fail or take longer, because the plan makes disks fail or slow.
    pub disks: bool,
}

/// How wrong a clock is; the default is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// Nanoseconds by which it jumps.
    pub by_ns: i64,
    /// Nanoseconds that it is ahead more after each second.
    pub drift_ppb: i64,
}

/// Bytes of the file that says how wrong a node's clock is (`runner/preload/clock.c`).
pub const CLOCK_BYTES: usize = 64;

impl Skew {
    /// A clock that jumps, and runs `rate` times as fast.
    pub fn new(by_ns: i64, rate: f64) -> Self {
        let drift_ppb = ((rate - 1.0) * 1e9).round() as i64;
        Self { by_ns, drift_ppb }
    }

    /// Whether it is right.
    pub fn is_right(self) -> bool {
        self == Self::default()
    }
}

impl std::fmt::Display for Skew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (by, rate) = (self.by_ns as f64 / 1e9, 1.0 + self.drift_ppb as f64 / 1e9);
        write!(f, "{by:+} s, {rate} times as fast")
    }
}

impl ClusterSpec {
    /// Whether it is followed what a node syncs. Not of ZooKeeper, which does not start again after a power loss until the
    /// kernel has written its first snapshot: it never syncs that.
    pub fn follows_power(&self, node: Node) -> bool {
        self.preload.power && self.preloads(node)
    }

    /// Whether a node has the object.
    pub fn preloads(&self, node: Node) -> bool {
        let Preload { power, clocks, disks } = self.preload;
        (power || clocks || disks) && !matches!(node, Node::Zookeeper(_))
    }
}

/// What a node that lost its power had not synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotSynced {
    /// Files that are gone or became shorter; if a share survives, those that lost pages.
    pub files: u64,
    /// Bytes that they lost.
    pub bytes: u64,
    /// The directories, such as `orders-0`, whose logs have anything left.
    pub held: BTreeSet<String>,
}

impl NotSynced {
    /// Reads what the program `restore` prints.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split_whitespace();
        let mut number = |name| (words.next()? == name).then(|| words.next()?.parse().ok())?;
        let (files, bytes) = (number("files")?, number("bytes")?);
        let held = lines.filter_map(|line| line.trim().strip_prefix("held ").map(str::to_owned));
        Some(Self { files, bytes, held: held.collect() })
    }
}

impl std::fmt::Display for NotSynced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, bytes, .. } = self;
        match (files, bytes) {
            (0, _) => f.write_str("no file became shorter"),
            _ => write!(f, "{bytes} bytes of {files} files were not synced"),
        }
    }
}

/// The variables with which a node's process follows what is synced of a data directory.
pub fn power_variables(data: &str, power: &str) -> [(&'static str, String); 2] {
    [("KPLAN_POWER_DATA", data.to_owned()), ("KPLAN_POWER", power.to_owned())]
}

/// The variables with which calls of a node's process on a data directory can fail or take longer.
pub fn disk_variables(data: &str, calls: &str) -> [(&'static str, String); 2] {
    [("KPLAN_DISK_DATA", data.to_owned()), ("KPLAN_DISK", calls.to_owned())]
}

/// The error for a node of which it is not known what it has synced.
pub fn unknown(why: &str) -> RigError {
    let what = "what a node has synced is not known, so its power cannot be taken";
    RigError::Other(format!("{what}: {}", why.trim()))
}

/// The error for a cluster that was started without what an action needs.
pub fn without(backend: &'static str, action: &str) -> RigError {
    let what = format!("{action}: the cluster was started without that ability");
    RigError::Unsupported { backend, what }
}

/// The error for a node whose calls cannot be changed or counted.
pub fn no_calls(node: Node, why: &str) -> RigError {
    RigError::Other(format!("the calls of {node} on its disk could not be changed: {}", why.trim()))
}

/// The error for a node that goes on with the true time.
pub fn no_skew(node: Node, why: &str) -> RigError {
    RigError::Other(format!("the clock of {node} could not be changed: {}", why.trim()))
}

#[cfg(test)]
#[path = "preload_tests.rs"]
mod tests;
