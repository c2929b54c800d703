//! `start_broker`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, StepFacts, Strikes};
use crate::source::Spanned;
use crate::value::{DataFate, Target};

args! {
    /// Starts brokers that were killed or stopped, and waits until the others list them.
    ///
    /// They keep their number, their port and, unless `data: wiped`, what is on their disk.
    #[example("start_broker: 2")]
    #[example("start_broker: { broker: 2, data: wiped }")]
    pub struct StartBroker("start_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// What is on the disk: `kept`, or `wiped` like after its loss.
        data: DataFate = "kept",
    }
}

impl StepWord for StartBroker {
    const FACTS: StepFacts =
        StepFacts { strikes: Strikes::Processes, ..StepFacts::of(Kind::Repair) };

    fn explain(&self) -> String {
        match self.data {
            DataFate::Kept => format!("Start {} again", self.broker),
            DataFate::Wiped => format!("Start {} again with an empty disk", self.broker),
        }
    }

    fn needs(&self) -> Vec<Need> {
        let wiped = self.data == DataFate::Wiped;
        let wipe = wiped.then(|| Need::word(Capability::WipeDisk));
        std::iter::once(Need::word(Capability::Start)).chain(wipe).collect()
    }
}
