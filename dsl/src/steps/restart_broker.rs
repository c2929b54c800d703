//! `restart_broker`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::conditions::Conditions;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{RestartHow, Target, duration_text};
use crate::words::{Sentence, spoken};

args! {
    /// Stops brokers and starts them again, all together or one after the other.
    #[example("restart_broker: 2")]
    #[example("restart_broker: { broker: all, rolling: true, wait: [{ in_sync: { topic: orders, replicas: 3 } }] }")]
    pub struct RestartBroker("restart_broker") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// How the process is ended: gracefully (`stop`) or with SIGKILL (`kill`).
        #[weighs(Row(&["stop", "kill"]))]
        how: RestartHow = "stop",
        /// How long each broker stays down.
        #[weighs(MoreIsStronger(Some(0.0)))]
        down_for: Duration = "0s",
        /// Whether the brokers are restarted one after the other instead of together.
        rolling: bool = "false",
        /// Conditions that must hold after the restart of each broker before the next one is restarted.
        #[weighs(Conditions)]
        wait: Option<Spanned<Conditions>>,
    }
}

impl RestartBroker {
    /// What it does, with its time in the form of plans or of sentences.
    fn said(&self, time: fn(Duration) -> String) -> String {
        let how = match self.how {
            RestartHow::Stop => "Restart",
            RestartHow::Kill => "Kill and restart",
        };
        let down = match self.down_for {
            Duration::ZERO => String::new(),
            down => format!(", down for {}", time(down)),
        };
        let rolling = if self.rolling { ", one after the other" } else { "" };
        format!("{how} {}{down}{rolling}", self.broker)
    }
}

/// What is done to brokers, with the conditions that must hold between one and the next.
pub(super) fn between(text: String, wait: Option<&Conditions>) -> Sentence {
    match wait {
        Some(wait) => Sentence {
            text: format!("{text}; before the next one, these conditions must hold"),
            points: wait.clauses(),
        },
        None => Sentence::from(text),
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
        self.said(duration_text)
    }

    fn in_full(&self) -> Sentence {
        between(self.said(spoken), self.wait.as_ref().map(|wait| &wait.value))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let mark = match self.how {
            RestartHow::Stop => LaneMark::Restarting,
            RestartHow::Kill => LaneMark::Killed,
        };
        vec![LaneChange::Nodes(self.broker.value.clone(), mark)]
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        let Some(wait) = &self.wait else { return };
        wait.must_be_judged(reader);
        if !self.rolling {
            let message =
                "`wait` needs `rolling: true`: it is checked between one broker and the next";
            let help = "add `rolling: true`, or use a separate `wait` step";
            reader.push(Diagnostic::new(Code::E016, wait.span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        let kills = self.how == RestartHow::Kill;
        let down = if kills { Capability::Kill } else { Capability::Stop };
        let stays = (!self.down_for.is_zero()).then(|| Need::word(Capability::KeepDown));
        [Need::word(down), Need::word(Capability::Start)].into_iter().chain(stays).collect()
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
