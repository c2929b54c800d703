//! The cluster that runs in a suite, and what was seen of it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::Node,
    record::UncleanElection,
    stage::{Running, warm::Warm},
};

/// The most unclean elections that are kept as evidence; all of them are in the events.
const UNCLEAN: usize = 1_000;

/// The running cluster of a suite, and what was seen of it.
#[derive(Default)]
pub struct ClusterPlace(Mutex<PlaceParts>);

#[derive(Default)]
struct PlaceParts {
    running: Option<Running>,
    /// All of its brokers have been up together.
    up: bool,
    /// A cluster of an earlier suite, to reuse.
    warm: Option<Warm>,
    clusters: u32,
    log_sizes: BTreeMap<Node, Vec<(i64, u64)>>,
    unclean: Vec<UncleanElection>,
}

impl ClusterPlace {
    fn parts(&self) -> MutexGuard<'_, PlaceParts> {
        self.0.lock().expect("no holder panics")
    }

    /// The cluster that runs.
    pub fn running(&self) -> Option<Running> {
        self.parts().running.clone()
    }

    /// Sets or removes the running cluster.
    pub fn set_running(&self, running: Option<Running>) -> Option<Running> {
        let mut standing = self.parts();
        standing.up = false;
        mem::replace(&mut standing.running, running)
    }

    /// Records that all brokers of the running cluster are up.
    pub fn came_up(&self) {
        self.parts().up = true;
    }

    /// Whether all brokers of the running cluster have been up together: before that there is nothing to judge.
    pub fn is_up(&self) -> bool {
        self.parts().up
    }

    /// The number of the next cluster, from 1.
    pub(super) fn next(&self) -> u32 {
        let mut standing = self.parts();
        standing.clusters += 1;
        standing.clusters
    }

    /// Sets the cluster of an earlier suite that this suite may reuse.
    pub fn give_warm(&self, warm: Option<Warm>) {
        self.parts().warm = warm;
    }

    /// Takes the cluster to reuse, once.
    pub fn take_warm(&self) -> Option<Warm> {
        self.parts().warm.take()
    }

    /// An unclean election was seen.
    pub fn elected_uncleanly(&self, election: UncleanElection) {
        let unclean = &mut self.parts().unclean;
        if unclean.len() < UNCLEAN {
            unclean.push(election);
        }
    }

    /// The unclean elections that were seen in a topic, or in any.
    pub fn unclean_elections(&self, topic: Option<&str>) -> Vec<UncleanElection> {
        let of_topic = |e: &&UncleanElection| topic.is_none_or(|t| e.topic == t);
        self.parts().unclean.iter().filter(of_topic).cloned().collect()
    }

    /// The size of a node's log at a time: later lines begin there.
    pub fn log_size_at(&self, node: Node, us: i64) -> u64 {
        let standing = self.parts();
        let sizes = standing.log_sizes.get(&node).into_iter().flatten();
        sizes.filter(|(at, _)| *at <= us).map(|(_, size)| *size).max().unwrap_or(0)
    }

    /// Records the size of the nodes' logs; called when a step begins.
    pub(super) fn note_log_sizes(&self, running: &Running, at_us: i64) {
        let Ok(logs) = running.cluster.logs() else { return };
        for node in running.cluster.nodes() {
            let Some(path) = logs.log_file(node) else { continue };
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            self.parts().log_sizes.entry(node).or_default().push((at_us, size));
        }
    }
}
