//! `progressing`

use super::{ConditionWord, Judged};
use crate::args::args;
use crate::value::{Clients, Spread};

args! {
    /// Since this step began, at least one message sent (for a consumer: appended) after that
    /// beginning was acknowledged (delivered) on every partition of the client's topics.
    ///
    /// Traffic from before the step proves nothing.
    #[example("progressing: [P, C]")]
    #[example("progressing: { client: P, partitions: any }")]
    pub struct Progressing("progressing") short "client" {
        /// The client or clients.
        client: Clients,
        /// On `every` partition, or on `any`.
        partitions: Spread = "every",
    }
}

impl ConditionWord for Progressing {
    fn explain(&self) -> String {
        let verb = if self.client.len() == 1 { "makes" } else { "make" };
        let at_least = match self.partitions {
            Spread::Every => "",
            Spread::Any => " on at least one partition",
        };
        format!("{} {verb} progress{at_least}", self.client)
    }

    fn judged(&self) -> Judged {
        Judged::Plain
    }
}
