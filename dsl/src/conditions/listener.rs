//! `listener`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Family, Target};

args! {
    /// Every configured port of a broker is bound, as the socket table of its host shows. With `reachable`, also
    /// whether the broker answers the Kafka protocol at its advertised address.
    #[example("listener: { broker: all, family: ipv4, reachable: true }")]
    pub struct Listener("listener") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target> = "all",
        /// The address family of the socket. A socket for both families is `ipv6`.
        family: Option<Family>,
        /// Whether the broker must answer an ApiVersions request (`true`), or must not (`false`).
        reachable: Option<bool>,
    }
}

impl ConditionWord for Listener {
    const FACTS: ConditionFacts = ConditionFacts {
        weighs: Weighs::Arguments(&[
            ("broker", ArgumentWeighs::Elements),
            ("family", ArgumentWeighs::Presence),
            ("reachable", ArgumentWeighs::Presence),
        ]),
        ..ConditionFacts::NONE.needing(Capability::Listeners)
    };

    fn explain(&self) -> String {
        let on = self.family.map(|f| format!(" on {f}")).unwrap_or_default();
        let answers = match self.reachable {
            None => "",
            Some(true) => " and answers",
            Some(false) => " and does not answer",
        };
        format!("{} listens{on}{answers}", self.broker)
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
