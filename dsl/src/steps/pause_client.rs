//! `pause_client`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Freezes the processes of clients with SIGSTOP.
    ///
    /// Of the clients and members that it names it works on those that run; the others are left out,
    /// and the timeline says so. If none is left the step fails.
    #[example("pause_client: P")]
    #[example("pause_client: [P, C/2]")]
    pub struct PauseClient("pause_client") short "client" {
        /// The client or clients, whole or by member.
        #[weighs(Elements)]
        client: Clients,
        ..lasting: Lasting,
    }
}

impl StepWord for PauseClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        undo: Undo::After("let it go on"),
        in_chaos: true,
        lane: Some(LaneMark::Paused),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Freeze {}", self.client)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(format!("Freeze {}", self.client.processes()))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.end_clients(&self.client, Liveness::Paused);
    }
}
