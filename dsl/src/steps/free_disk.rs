//! `free_disk`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Frees the disk space that `fill_disk` took.
    #[example("free_disk: 2")]
    pub struct FreeDisk("free_disk") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
    }
}

impl StepWord for FreeDisk {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Disks,
        lane: Some(LaneMark::Running),
        ..StepFacts::of(Kind::Repair)
    };

    fn explain(&self) -> String {
        format!("Free the disk of {}", self.broker)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::FullDisk)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.target(&self.broker);
    }
}
