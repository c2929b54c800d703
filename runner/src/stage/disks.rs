//! The actions of steps on brokers' disks.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::{Acted, Node},
    event::{FaultKind, StepRun},
    history::now_us,
    stage::{Stage, faults::Struck, nodes::names, outcome::StepError},
};

/// Nodes whose disks are full, by the step that filled them.
#[derive(Debug, Default)]
pub struct Full {
    filled: Mutex<Vec<Filled>>,
    /// Nodes whose disk was full at some time since their last start.
    met: MetNodes,
}

/// Nodes that a fault of their disk has met at some time since their last start: it may explain their end.
#[derive(Debug, Default)]
pub struct MetNodes(Mutex<BTreeSet<Node>>);

impl MetNodes {
    fn all(&self) -> MutexGuard<'_, BTreeSet<Node>> {
        self.0.lock().expect("no holder panics")
    }

    pub fn add(&self, nodes: &[Node]) {
        self.all().extend(nodes);
    }

    pub fn has(&self, node: Node) -> bool {
        self.all().contains(&node)
    }

    /// These nodes are started again: only those stay that a fault still meets.
    pub fn started(&self, nodes: &[Node], still: impl Fn(&Node) -> bool) {
        self.all().retain(|node| !nodes.contains(node) || still(node));
    }
}

#[derive(Debug)]
struct Filled {
    step: StepRun,
    nodes: BTreeSet<Node>,
}

impl Full {
    fn all(&self) -> MutexGuard<'_, Vec<Filled>> {
        self.filled.lock().expect("no holder panics")
    }

    /// Whether a node may have ended because the plan filled its disk.
    pub fn explains(&self, node: Node) -> bool {
        self.met.has(node)
    }

    /// These nodes are started again: from now on only disks that are still full can explain their end.
    pub fn started(&self, nodes: &[Node]) {
        let all = self.all();
        self.met.started(nodes, |node| all.iter().any(|filled| filled.nodes.contains(node)));
    }

    /// The nodes whose disks a step filled and that are still full.
    pub fn filled_by(&self, step: &StepRun) -> Vec<Node> {
        let all = self.all();
        let own = all.iter().filter(|filled| filled.step == *step);
        own.flat_map(|filled| filled.nodes.iter().copied()).collect()
    }

    /// Records that these disks have space again; returns each step that has no full disk left.
    fn freed(&self, nodes: &[Node]) -> Vec<StepRun> {
        let mut all = self.all();
        all.iter_mut().for_each(|filled| filled.nodes.retain(|n| !nodes.contains(n)));
        let over = all.extract_if(.., |filled| filled.nodes.is_empty());
        over.map(|filled| filled.step).collect()
    }
}

impl Stage {
    /// Fills the disks of nodes up to `leave` free bytes each.
    pub async fn take_space(
        &self,
        step: &StepRun,
        nodes: &[Node],
        leave: u64,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        self.full.all().push(Filled { step: step.clone(), nodes: nodes.iter().copied().collect() });
        self.full.met.add(nodes);
        let begun_us = now_us();
        let mut filled: Option<Acted> = None;
        for node in nodes {
            let one = running.cluster.disks()?.take_space(*node, leave).await?;
            filled = Some(filled.map_or(one, |all| all.and(one)));
        }
        let acted = filled.unwrap_or_else(|| begun_us.into());
        let what = format!("disk of {} full", names(nodes));
        let struck = Struck::Cluster(BTreeSet::new());
        self.fault_begins(acted, step, FaultKind::Disk, struck, &what);
        Ok(())
    }

    /// Frees the space.
    pub async fn free_disks(&self, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        for node in nodes {
            running.cluster.disks()?.give_space(*node).await?;
        }
        let at_us = now_us();
        for step in self.full.freed(nodes) {
            self.faults_end(&self.breaks.step_over(&step, at_us), at_us);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_was_full_explains_the_end_of_that_life_only() {
        let full = Full::default();
        let node = Node::Broker(1);
        assert!(!full.explains(node));
        full.all().push(Filled { step: "1".into(), nodes: [node].into() });
        full.met.add(&[node]);
        full.started(&[node]);
        assert!(full.explains(node), "it is still full");
        full.freed(&[node]);
        assert!(full.explains(node), "it may have ended before");
        full.started(&[node]);
        assert!(!full.explains(node));
    }

    #[test]
    fn a_step_is_over_when_the_last_of_its_disks_is_freed() {
        let full = Full::default();
        let filled = |step: &str, nodes: &[u32]| Filled {
            step: step.into(),
            nodes: nodes.iter().map(|n| Node::Broker(*n)).collect(),
        };
        full.all().extend([filled("1", &[1, 2]), filled("2", &[2])]);
        let freed = |n| full.freed(&[Node::Broker(n)]).into_iter().map(|step| step.to_string());
        assert_eq!(freed(2).collect::<Vec<_>>(), ["2"]);
        assert_eq!(freed(1).collect::<Vec<_>>(), ["1"]);
        assert_eq!(freed(1).count(), 0);
    }
}
