//! `start_broker`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::source::Spanned;
use crate::value::{DataFate, Target};
use crate::words::Sentence;

args! {
    /// Starts brokers that were killed or stopped, and waits until the other brokers list them.
    ///
    /// The brokers keep their number, their port and, unless `data: wiped` is set, the data on their disk.
    #[example("start_broker: 2")]
    #[example("start_broker: { broker: 2, data: wiped }")]
    pub struct StartBroker("start_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// The data on the disk: `kept`, or `wiped` as after the loss of the disk.
        data: DataFate = "kept",
    }
}

impl StepWord for StartBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        lane: Some(LaneMark::Running),
        ..StepFacts::of(Kind::Repair)
    };

    fn explain(&self) -> String {
        match self.data {
            DataFate::Kept => format!("Start {} again", self.broker),
            DataFate::Wiped => format!("Start {} again with an empty disk", self.broker),
        }
    }

    fn in_full(&self) -> Sentence {
        let started = if self.broker.is_single() { "it" } else { "them" };
        Sentence::from(format!(
            "{}, and wait until the other brokers list {started}",
            self.explain()
        ))
    }

    fn needs(&self) -> Vec<Need> {
        let wiped = self.data == DataFate::Wiped;
        let wipe = wiped.then(|| Need::word(Capability::WipeDisk));
        std::iter::once(Need::word(Capability::Start)).chain(wipe).collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let hit = ground.target(&self.broker);
        let named = !matches!(self.broker.value, Target::All | Target::Not(_));
        let others = ground.state.cluster.as_ref().map(|c| c.others).filter(|_| hit.others);
        let down = hit.certain.iter().any(|(b, _)| ground.life(*b) != Some(Liveness::Up))
            || others.is_some_and(|life| life != Liveness::Up);
        for (broker, span) in &hit.certain {
            // `all` means the brokers that are down: it is a mistake only if none is down.
            if ground.life(*broker) == Some(Liveness::Up) && (named || !down) {
                let message = format!("broker {broker} is already running");
                ground.report(Diagnostic::new(Code::E061, *span, message));
            }
            if ground.life(*broker) == Some(Liveness::Paused) {
                let message = format!("broker {broker} is paused, not down");
                let help = format!("resume it instead: `- resume_broker: {broker}`");
                ground.report(Diagnostic::new(Code::E061, *span, message).help(help));
            }
        }
        ground.all_are(hit, Liveness::Up);
    }
}
