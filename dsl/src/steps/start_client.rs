//! `start_client`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Starts killed or stopped clients again: a new process with the same settings.
    ///
    /// The step starts those of the named clients and members that have ended. It leaves out the others, and the
    /// timeline shows which. It fails if none is left.
    #[example("start_client: P")]
    #[example("start_client: [P, C/2]")]
    pub struct StartClient("start_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for StartClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        lane: Some(LaneMark::Running),
        ..StepFacts::of(Kind::Repair)
    };

    fn explain(&self) -> String {
        format!("Start {} again", self.client)
    }

    fn in_full(&self) -> Sentence {
        Sentence::from(format!("{}, with the same settings", self.explain()))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.begin_clients(&self.client, Liveness::Down);
    }
}
