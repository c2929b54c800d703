//! `connected`

use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Clients, Target};

args! {
    /// The broker has answered a request of the client since the last step that broke something.
    #[example("connected: { client: P, broker: 2 }")]
    pub struct Connected("connected") {
        /// The client or clients.
        client: Clients,
        /// The broker or brokers.
        broker: Spanned<Target>,
    }
}

impl ConditionWord for Connected {
    const FACTS: ConditionFacts = ConditionFacts {
        takes_since: true,
        weighs: Weighs::Arguments(&[
            ("client", ArgumentWeighs::Elements),
            ("broker", ArgumentWeighs::Elements),
        ]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let verb = if self.client.len() == 1 { "talks" } else { "talk" };
        format!("{} {verb} to {}", self.client, self.broker)
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        for broker in self.broker.numbers().unwrap_or_default() {
            ground.must_be_up(broker, "answer", span);
        }
        for name in self.client.iter() {
            ground.must_run(name.client.as_str(), "talk to a broker", name.span);
            ground.must_report(name, "its connections", false);
        }
    }

    fn shows(&self, _: &Ground<'_>) -> Shows {
        Shows::Contact
    }
}
