//! `kill_client`

use super::StepWord;
use crate::args::args;
use crate::value::Clients;

args! {
    /// Kills the processes of clients with SIGKILL. What was sent and not answered stays
    /// unresolved.
    #[example("kill_client: P")]
    #[example("kill_client: [P, C/2]")]
    pub struct KillClient("kill_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for KillClient {
    fn explain(&self) -> String {
        format!("Kill {}", self.client)
    }
}
