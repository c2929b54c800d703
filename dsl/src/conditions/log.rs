//! `log`

use super::clause::there;
use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{BoundGroup, MemberRef, StepName, Target, check_pattern};

args! {
    /// Lines of a broker's own log, or of a client's, that match a regular expression.
    ///
    /// The log of a client is what its processes write to standard error. The log of a service is its whole output.
    #[example("log: { broker: 2, matches: \"Recovering unflushed segment\", at_least: 1 }")]
    #[example("log: { client: invoicing, matches: ERROR, is: 0 }")]
    pub struct Log("log") short "matches" {
        /// The broker or brokers; all of them unless `client` is given.
        broker: Option<Spanned<Target>>,
        /// A client or a member of it, instead of brokers.
        client: Option<Spanned<MemberRef>>,
        /// A regular expression that matches anywhere in a line.
        matches: Spanned<String>,
        /// Only lines that were written after the latest run of the step of this name began.
        since: Option<Spanned<StepName>>,
        ..bound: BoundGroup<u64>,
    }
}

impl Log {
    /// The brokers whose logs are read, if no client is named.
    pub fn brokers(&self) -> &Target {
        self.broker.as_ref().map_or(&Target::All, |broker| &broker.value)
    }
}

impl ConditionWord for Log {
    const FACTS: ConditionFacts = ConditionFacts {
        takes_since: true,
        ..ConditionFacts::NONE.needing(Capability::BrokerLogs)
    };

    fn explain(&self) -> String {
        let lines = self.bound.map_or_else(|| "lines".to_owned(), |bound| bound.of("line"));
        let whose = match &self.client {
            Some(client) => client.to_string(),
            None => self.brokers().to_string(),
        };
        format!("{lines} with /{}/ in the log of {whose}", self.matches)
    }

    fn needs(&self) -> Option<Need> {
        self.client.is_none().then(|| Need::word(Capability::BrokerLogs))
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        check_pattern(&self.matches, reader);
        if let Some(client) = self.client.as_ref().filter(|_| self.broker.is_some()) {
            let message = "`client` and `broker` exclude each other";
            reader.push(Diagnostic::new(Code::E016, client.span, message));
        }
    }

    fn clause(&self) -> String {
        there(self.explain())
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
