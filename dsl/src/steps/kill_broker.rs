//! `kill_broker`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::source::Spanned;
use crate::value::Target;
use crate::words::Sentence;

args! {
    /// Kills brokers with SIGKILL. Several brokers are killed at the same time.
    ///
    /// SIGKILL is not a power failure: data that the broker wrote and that the operating system has not yet written
    /// to the disk survives. With `for`, the brokers are started again after that time.
    #[example("kill_broker: 2")]
    #[example("kill_broker: { broker: { leader_of: orders/0 }, for: 30s }")]
    pub struct KillBroker("kill_broker") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        ..lasting: Lasting,
    }
}

impl StepWord for KillBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        undo: Undo::After("start it again"),
        in_chaos: true,
        lane: Some(LaneMark::Killed),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Kill {}", self.broker)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(format!("{} with SIGKILL", self.explain()))
    }

    fn needs(&self) -> Vec<Need> {
        let while_down = [Capability::Start, Capability::KeepDown].map(Need::word);
        let lasts = self.lasting.passes();
        let lasting = while_down.into_iter().filter(|_| lasts);
        std::iter::once(Need::word(Capability::Kill)).chain(lasting).collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.take_down(&self.broker, Liveness::Down);
    }
}
