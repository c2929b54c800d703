//! `connected`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::{Clients, Target};

args! {
    /// A request of the client was answered by the broker since the last breaking step.
    #[example("connected: { client: P, broker: 2 }")]
    pub struct Connected("connected") {
        /// The client or clients.
        client: Clients,
        /// The broker or brokers.
        broker: Spanned<Target>,
    }
}

impl ConditionWord for Connected {
    fn explain(&self) -> String {
        let verb = if self.client.len() == 1 { "talks" } else { "talk" };
        format!("{} {verb} to {}", self.client, self.broker)
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }
}
