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
        if running.cluster.spec().preload.power {
            running.cluster.power()?.follows(nodes).await?;
        }
        Ok(())
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
