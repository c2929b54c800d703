//! The power of nodes: what is left of their data when it is gone.

use kplan_dsl::value::PowerKeep;

use crate::{
    cluster::Node,
    event::{Event, StepRun},
    stage::{Running, Stage, chaos::draw, outcome::StepError},
};

impl Stage {
    /// Fails as a failure of the rig if the plan takes the power from nodes and what these have synced is not known.
    pub async fn followed(&self, running: &Running, nodes: &[Node]) -> Result<(), StepError> {
        let spec = running.cluster.spec();
        let nodes: Vec<Node> = nodes.iter().copied().filter(|n| spec.follows_power(*n)).collect();
        if !nodes.is_empty() {
            running.cluster.power()?.follows(&nodes).await?;
        }
        Ok(())
    }

    /// Fails where a power loss of living nodes would not take what they had not synced.
    pub(super) async fn can_lose_power(
        &self,
        running: &Running,
        nodes: &[Node],
    ) -> Result<(), StepError> {
        if let Some(node) = nodes.iter().find(|node| matches!(node, Node::Zookeeper(_))) {
            return Err(StepError::not_so(format!("the power cannot be taken from {node}")));
        }
        Ok(running.cluster.power()?.follows(nodes).await?)
    }

    /// Leaves dead nodes what they had synced, and reports what they lost.
    pub(super) async fn cut_power(
        &self,
        running: &Running,
        step: &StepRun,
        nodes: &[Node],
        keep: PowerKeep,
    ) -> Result<(), StepError> {
        // Each node keeps other pages, or all replicas of a partition would keep the same.
        let keeps = |node: &Node| match keep {
            PowerKeep::Nothing => (*node, None),
            PowerKeep::Random => (*node, Some(draw(self.seed, &format!("{step} {node}"), 0, 3))),
        };
        let nodes = nodes.iter().map(keeps).collect();
        for (node, lost) in running.cluster.power()?.cut_power(&nodes).await? {
            let (step, text) = (step.clone(), format!("{node} lost its power: {lost}"));
            self.tell.emit(Event::Note { step, text });
        }
        Ok(())
    }
}
