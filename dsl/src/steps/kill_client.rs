//! `kill_client`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Kills the processes of clients with SIGKILL. Messages that were sent and not answered stay unresolved.
    ///
    /// The step kills those of the named clients and members that are running or paused. It leaves out the others,
    /// and the timeline shows which. It fails if none is left.
    #[example("kill_client: P")]
    #[example("kill_client: [P, C/2]")]
    pub struct KillClient("kill_client") short "client" {
        /// The client or clients, whole or by member.
        #[weighs(Elements)]
        client: Clients,
        ..lasting: Lasting,
    }
}

impl StepWord for KillClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        undo: Undo::After("start it again with the same settings"),
        in_chaos: true,
        lane: Some(LaneMark::Killed),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Kill {}", self.client)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(format!("Kill {} with SIGKILL", self.client.processes()))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.end_clients(&self.client, Liveness::Down);
    }
}
