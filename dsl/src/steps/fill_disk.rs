//! `fill_disk`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::source::Spanned;
use crate::value::{ByteSize, Target};

args! {
    /// Fills the disk that holds a broker's data until `free_disk`, or for a time.
    ///
    /// In plans with this step every broker has a disk of 256 MiB of its own. A broker whose only disk
    /// cannot be written any more ends by itself: free the disk, then start the broker.
    #[example("fill_disk: { broker: 2, leave: 1MiB, for: 1m }")]
    pub struct FillDisk("fill_disk") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// What stays free.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        leave: ByteSize = "1MiB",
        ..lasting: Lasting,
    }
}

impl StepWord for FillDisk {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Disks,
        undo: Undo::After("free it again"),
        in_chaos: true,
        lane: Some(LaneMark::DiskFull),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Fill the disk of {} but for {}", self.broker, self.leave)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::FullDisk)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        // A broker ends when its only disk is full.
        ground.may_be_down(&self.broker);
    }
}
