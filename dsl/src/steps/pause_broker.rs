//! `pause_broker`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Pauses the processes of brokers: they do not answer, and they do not close their connections. With `for`,
    /// they are resumed after that time.
    #[example("pause_broker: 2")]
    #[example("pause_broker: { broker: { leader_of: orders/0 }, for: 30s }")]
    pub struct PauseBroker("pause_broker") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        ..lasting: Lasting,
    }
}

impl StepWord for PauseBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        undo: Undo::After("resume it"),
        in_chaos: true,
        lane: Some(LaneMark::Paused),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Pause {}", self.broker)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Pause)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.take_down(&self.broker, Liveness::Paused);
    }
}
