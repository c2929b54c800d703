//! `pause_client`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::value::Clients;

args! {
    /// Freezes the processes of clients with SIGSTOP.
    ///
    /// Of a client that is named whole the members that do not run or are paused are left out, and the timeline says
    /// so; a member that is named itself, or a client of which none is left, is an error.
    #[example("pause_client: P")]
    #[example("pause_client: [P, C/2]")]
    pub struct PauseClient("pause_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
        ..lasting: Lasting,
    }
}

impl StepWord for PauseClient {
    fn explain(&self) -> String {
        format!("Freeze {}{}", self.client, self.lasting.text())
    }
}
