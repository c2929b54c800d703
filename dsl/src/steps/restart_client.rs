//! `restart_client`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::{Clients, RestartHow, duration_text};
use crate::words::{Sentence, spoken};

args! {
    /// Ends clients and starts them again with the same settings, like the deployment of a new version of a
    /// service: all together or one after the other.
    ///
    /// With `how: stop`, a producer waits for its last acknowledgements, and a consumer commits what it has read
    /// and leaves its group; unlike with `stop_client`, it does not read to the end of the log. With `how: kill`,
    /// nothing is flushed or committed: a consumer's partitions are assigned to other members only when its session
    /// times out.
    ///
    /// The step restarts those of the named clients and members that are running. It leaves out the others, and the
    /// timeline shows which. It fails if none is left.
    #[example("restart_client: P")]
    #[example("restart_client: { client: C, rolling: true, down_for: 2s }")]
    pub struct RestartClient("restart_client") short "client" {
        /// The client or clients, whole or by member.
        #[weighs(Elements)]
        client: Clients,
        /// How the process is ended: gracefully (`stop`) or with SIGKILL (`kill`).
        #[weighs(Row(&["stop", "kill"]))]
        how: RestartHow = "stop",
        /// How long each client or member stays down.
        #[weighs(MoreIsStronger(Some(0.0)))]
        down_for: Duration = "0s",
        /// Whether the members are restarted one after the other instead of all together.
        rolling: bool = "false",
    }
}

impl RestartClient {
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
        format!("{how} {}{down}{rolling}", self.client)
    }
}

impl StepWord for RestartClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        undo: Undo::Itself,
        in_chaos: true,
        lane: Some(LaneMark::Restarting),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        self.said(duration_text)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(self.said(spoken))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let ends = match self.how {
            RestartHow::Stop => Liveness::Stopped,
            RestartHow::Kill => Liveness::Down,
        };
        ground.end_clients(&self.client, ends);
        ground.begin_clients(&self.client, Liveness::Down);
        ground.takes(self.down_for);
    }
}
