//! `upgrade_broker`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::conditions::Conditions;
use crate::facts::{Kind, StepFacts, Strikes, Undo};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{KafkaVersion, Target};

args! {
    /// Restarts brokers with another version of Kafka; they keep their data.
    ///
    /// Controllers of their own are upgraded as `broker: controllers`. What the cluster has agreed on
    /// (its features and metadata version) stays as it was.
    #[example("upgrade_broker: { broker: all, version: 4.1.1 }")]
    pub struct UpgradeBroker("upgrade_broker") {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// The version they run then.
        version: Spanned<KafkaVersion>,
        /// One after the other, or together.
        rolling: bool = "true",
        /// What must hold after each one before the next is restarted.
        wait: Option<Conditions>,
    }
}

impl StepWord for UpgradeBroker {
    const FACTS: StepFacts =
        StepFacts { strikes: Strikes::Processes, undo: Undo::Itself, ..StepFacts::of(Kind::Fault) };

    fn explain(&self) -> String {
        let rolling = if self.rolling { ", one after the other" } else { "" };
        format!("Upgrade {} to Kafka {}{rolling}", self.broker, self.version)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if let Some(wait) = &self.wait {
            wait.must_be_judged(reader);
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Upgrade)]
    }
}
