//! `stop_cluster`

use super::StepWord;
use crate::args::args;
use crate::facts::{Blurs, Kind, LaneChange, StepFacts};
use crate::ground::{Ground, StepAt};

args! {
    /// Stops the cluster gracefully.
    #[example("stop_cluster")]
    pub struct StopCluster("stop_cluster") {}
}

impl StepWord for StopCluster {
    const FACTS: StepFacts = StepFacts { blurs: Blurs::Cluster, ..StepFacts::of(Kind::Cluster) };

    fn explain(&self) -> String {
        "Stop the cluster".to_owned()
    }

    fn lanes(&self) -> Vec<LaneChange> {
        vec![LaneChange::NoCluster]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.ends_cluster(at);
        ground.state.cluster = None;
        ground.state.cluster_unknown = false;
    }
}
