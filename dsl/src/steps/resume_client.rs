//! `resume_client`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;

args! {
    /// Resumes paused clients.
    ///
    /// The step resumes those of the named clients and members that are paused. It leaves out the others, and the
    /// timeline shows which. It fails if none is left.
    #[example("resume_client: P")]
    #[example("resume_client: [P, C/2]")]
    pub struct ResumeClient("resume_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for ResumeClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        lane: Some(LaneMark::Running),
        ..StepFacts::of(Kind::Repair)
    };

    fn explain(&self) -> String {
        format!("Resume {}", self.client)
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.begin_clients(&self.client, Liveness::Paused);
    }
}
