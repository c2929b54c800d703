//! `upgrade_broker`

use super::StepWord;
use super::restart_broker::between;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::conditions::Conditions;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{KafkaVersion, MetadataMode, Target};
use crate::words::Sentence;

args! {
    /// Restarts brokers with another version of Kafka. The brokers keep their data.
    ///
    /// `broker: controllers` upgrades dedicated controllers. The finalized features and the metadata version of the
    /// cluster stay unchanged.
    #[example("upgrade_broker: { broker: all, version: 4.1.1 }")]
    pub struct UpgradeBroker("upgrade_broker") {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// The new version of Kafka.
        version: Spanned<KafkaVersion>,
        /// Whether the brokers are upgraded one after the other (`true`) or together (`false`).
        rolling: bool = "true",
        /// Conditions that must hold after the restart of each broker before the next one is restarted.
        #[weighs(Conditions)]
        wait: Option<Conditions>,
    }
}

impl StepWord for UpgradeBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        undo: Undo::Itself,
        lane: Some(LaneMark::Restarting),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let rolling = if self.rolling { ", one after the other" } else { "" };
        format!("Upgrade {} to Kafka {}{rolling}", self.broker, self.version)
    }

    fn in_full(&self) -> Sentence {
        between(self.explain(), self.wait.as_ref())
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if let Some(wait) = &self.wait {
            wait.must_be_judged(reader);
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Upgrade)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.restart(&self.broker);
        let Some(cluster) = &mut ground.state.cluster else { return };
        let (version, zookeeper) = (&self.version, cluster.mode == MetadataMode::Zookeeper);
        cluster.version = version.value.clone();
        if zookeeper && !version.has_zookeeper() {
            let message = format!("Kafka {version} does not support ZooKeeper");
            ground.report(Diagnostic::new(Code::E071, version.span, message));
        }
    }

    fn judges(&self) -> bool {
        self.wait.as_ref().is_some_and(Conditions::may_be_false)
    }
}
