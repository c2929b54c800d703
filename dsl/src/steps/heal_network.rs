//! `heal_network`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, StepAt};

args! {
    /// Undoes every `partition_network` and `degrade_network`, and tests the connections that were cut.
    ///
    /// If there is no network fault, the step succeeds and changes nothing.
    #[example("heal_network")]
    pub struct HealNetwork("heal_network") {}
}

impl StepWord for HealNetwork {
    const FACTS: StepFacts = StepFacts { strikes: Strikes::Routes, ..StepFacts::of(Kind::Repair) };

    fn explain(&self) -> String {
        "Heal the network".to_owned()
    }

    fn lanes(&self) -> Vec<LaneChange> {
        vec![LaneChange::Mends(&[LaneMark::Isolated, LaneMark::Degraded])]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.heals_network(at);
    }
}
