//! `restart_broker`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::conditions::Conditions;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{RestartHow, Target, duration_text};

args! {
    /// Stops brokers and starts them again, together or one after the other.
    #[example("restart_broker: 2")]
    #[example("restart_broker: { broker: all, rolling: true, wait: [{ in_sync: { topic: orders, replicas: 3 } }] }")]
    pub struct RestartBroker("restart_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// Gracefully (`stop`) or with SIGKILL (`kill`).
        how: RestartHow = "stop",
        /// How long each stays down.
        down_for: Duration = "0s",
        /// One after the other instead of together.
        rolling: bool = "false",
        /// What must hold after each one before the next is restarted.
        wait: Option<Spanned<Conditions>>,
    }
}

impl StepWord for RestartBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        undo: Undo::Itself,
        in_chaos: true,
        lane: Some(LaneMark::Restarting),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let how = match self.how {
            RestartHow::Stop => "Restart",
            RestartHow::Kill => "Kill and restart",
        };
        let down = match self.down_for {
            Duration::ZERO => String::new(),
            time => format!(", down for {}", duration_text(time)),
        };
        let rolling = if self.rolling { ", one after the other" } else { "" };
        format!("{how} {}{down}{rolling}", self.broker)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        let Some(wait) = &self.wait else { return };
        wait.must_be_judged(reader);
        if !self.rolling {
            let message = "`wait` is for the time between two brokers";
            let help = "add `rolling: true`, or wait in a step of its own";
            reader.push(Diagnostic::new(Code::E016, wait.span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        let kills = self.how == RestartHow::Kill;
        let down = if kills { Capability::Kill } else { Capability::Stop };
        vec![Need::word(down), Need::word(Capability::Start)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.restart(&self.broker);
        let brokers = ground.state.cluster.as_ref().map(|c| c.brokers);
        let each = brokers.filter(|_| self.rolling && self.broker.value == Target::All);
        ground.takes(self.down_for.saturating_mul(each.unwrap_or(1)));
    }

    fn judges(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.may_be_false())
    }
}
