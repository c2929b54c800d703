//! `pause_client`

use super::StepWord;
use crate::args::args;
use crate::value::Clients;

args! {
    /// Freezes the processes of clients with SIGSTOP.
    #[example("pause_client: P")]
    #[example("pause_client: [P, C/2]")]
    pub struct PauseClient("pause_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for PauseClient {
    fn explain(&self) -> String {
        format!("Freeze {}", self.client)
    }
}
