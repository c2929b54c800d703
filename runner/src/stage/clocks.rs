//! The actions of steps on the clocks of nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::{Node, Skew},
    event::{FaultKind, StepRun},
    history::now_us,
    stage::{Stage, faults::Struck, nodes::names, outcome::StepError},
};

/// Nodes whose clocks are wrong, by the step that did it last.
#[derive(Debug, Default)]
pub struct Skewed(Mutex<BTreeMap<Node, StepRun>>);

impl Skewed {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Node, StepRun>> {
        self.0.lock().expect("no holder panics")
    }

    /// The nodes whose clocks a step made wrong, and no other step since.
    pub fn by(&self, step: &StepRun) -> Vec<Node> {
        self.all().iter().filter(|(_, by)| *by == step).map(|(node, _)| *node).collect()
    }
}

impl Stage {
    /// Makes the clocks of nodes wrong; `what` says how.
    pub async fn skew_clocks(
        &self,
        step: &StepRun,
        nodes: &[Node],
        skew: Skew,
        what: &str,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        if let Some(node) = nodes.iter().find(|node| matches!(node, Node::Zookeeper(_))) {
            return Err(StepError::not_so(format!("the clock of {node} cannot be changed")));
        }
        self.all_there(&running, nodes).await?;
        // Recorded first: if the step is cut off, a part of it may be done.
        self.skewed.all().extend(nodes.iter().map(|node| (*node, step.clone())));
        let acted = running.cluster.clocks()?.skew(nodes, skew).await?;
        let what = format!("clock of {}: {what}", names(nodes));
        self.fault_begins(acted, step, FaultKind::Clock, Struck::Cluster(BTreeSet::new()), &what);
        Ok(())
    }

    /// Sets the clocks right that a step made wrong.
    pub async fn set_clocks_right(&self, step: &StepRun) -> Result<(), StepError> {
        let nodes = self.skewed.by(step);
        let running = self.running()?;
        running.cluster.clocks()?.skew(&nodes, Skew::default()).await?;
        self.skewed.all().retain(|_, by| by != step);
        let at_us = now_us();
        self.faults_end(&self.breaks.step_over(step, at_us), at_us);
        Ok(())
    }
}
