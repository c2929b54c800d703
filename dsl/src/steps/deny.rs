//! `deny`

use super::{AccessRule, Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Blurs, Kind, StepFacts, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::Span;

args! {
    /// Denies a user to do something: adds a rule (ACL) to Kafka's authorizer, until a step removes it or for a time.
    ///
    /// See `allow` for what the cluster needs. What brokers refuse is an error of the client, such as
    /// `TOPIC_AUTHORIZATION_FAILED`. The rule wins over all rules of `allow`. As any rule, it takes a topic also away
    /// from users that no rule allows it: write `allow: { user: any, operation: all, topic: orders }` before it, if
    /// others go on.
    ///
    /// The step ends when each broker that answers has the rule. `remove: true` removes it again. Needs Kafka 2.0 or
    /// newer.
    #[example("deny: { user: alice, operation: write, topic: orders, for: 10s }")]
    #[example("deny: { user: any, operation: read, group: readers }")]
    #[example("deny: { user: any, operation: read, group: readers, remove: true }")]
    pub struct Deny("deny") {
        ..rule: AccessRule,
        ..lasting: Lasting,
    }
}

impl StepWord for Deny {
    const FACTS: StepFacts = StepFacts {
        undo: Undo::After("remove the rule"),
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Setting)
    };

    fn explain(&self) -> String {
        let no_longer = if self.rule.remove { "No longer deny" } else { "Deny" };
        format!("{no_longer} {}", self.rule.text())
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        self.rule.validate("deny", self.lasting.passes(), span, reader);
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Acls)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        self.rule.follow(at, ground);
    }
}
