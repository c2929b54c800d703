//! `stop_client`

use super::StepWord;
use crate::args::args;
use crate::value::Clients;

args! {
    /// Stops clients: first the producers, which flush what was sent; then the consumers, which
    /// read to the log's end, commit and leave their group.
    ///
    /// Who cannot do that within the step's `timeout` (60s unless said otherwise) fails the step.
    /// Judgements about the log need it.
    ///
    /// Of a client that is named whole the members that do not run are left out, and the timeline says
    /// so; a member that is named itself, or a client of which none is left, is an error.
    #[example("stop_client: P")]
    #[example("stop_client: [P, C/2]")]
    pub struct StopClient("stop_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for StopClient {
    fn explain(&self) -> String {
        format!("Stop {}: producers flush, consumers read to the end", self.client)
    }
}
