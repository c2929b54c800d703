//! `allow`

use super::{AccessRule, Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Blurs, Kind, StepFacts, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::Span;

args! {
    /// Allows a user to do something: adds a rule (ACL) to Kafka's authorizer, until a step removes it or for a time.
    ///
    /// The cluster needs `security` with users. In a plan with `allow` or `deny`, kplan configures Kafka's authorizer
    /// (`StandardAuthorizer`, with ZooKeeper `AclAuthorizer`); its own user and the brokers are super users, whom no
    /// rule concerns. What has no rule at all is allowed to everyone, unless the plan's `config` sets
    /// `allow.everyone.if.no.acl.found: false`. So the first rule about a topic takes it away from all users that no
    /// rule allows it: to deny it to one user, allow it to `any` first. A rule of `deny` wins over rules of `allow`.
    ///
    /// The step ends when each broker that answers has the rule. `remove: true` removes it again. Needs Kafka 2.0 or
    /// newer.
    #[example("allow: { user: any, operation: all, topic: orders }")]
    #[example("allow: { user: alice, operation: [read, describe], topic: 'orders-*' }")]
    #[example("allow: { user: alice, operation: read, group: readers, for: 30s }")]
    pub struct Allow("allow") {
        ..rule: AccessRule,
        ..lasting: Lasting,
    }
}

impl StepWord for Allow {
    const FACTS: StepFacts = StepFacts {
        undo: Undo::After("remove the rule"),
        blurs: Blurs::Nothing,
        ..StepFacts::of(Kind::Setting)
    };

    fn explain(&self) -> String {
        let no_longer = if self.rule.remove { "No longer allow" } else { "Allow" };
        format!("{no_longer} {}", self.rule.text())
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        self.rule.validate("allow", self.lasting.passes(), span, reader);
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Acls)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        self.rule.follow(at, ground);
    }
}
