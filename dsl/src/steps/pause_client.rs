//! `pause_client`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Pauses the processes of clients with SIGSTOP.
    ///
    /// The step pauses those of the named clients and members that are running. It leaves out the others, and the
    /// timeline shows which. It fails if none is left.
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
        undo: Undo::After("resume it"),
        in_chaos: true,
        lane: Some(LaneMark::Paused),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Pause {}", self.client)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(format!("Pause {}", self.client.processes()))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.end_clients(&self.client, Liveness::Paused);
    }
}
