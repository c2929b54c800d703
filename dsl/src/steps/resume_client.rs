//! `resume_client`

use super::StepWord;
use crate::args::args;
use crate::value::Clients;

args! {
    /// Lets frozen clients go on.
    ///
    /// Of a client that is named whole the members that do not run are left out, and the timeline says
    /// so; a member that is named itself, or a client of which none is left, is an error.
    #[example("resume_client: P")]
    #[example("resume_client: [P, C/2]")]
    pub struct ResumeClient("resume_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for ResumeClient {
    fn explain(&self) -> String {
        format!("Let {} go on", self.client)
    }
}
