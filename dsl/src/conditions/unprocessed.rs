//! `unprocessed`

use super::{ConditionWord, Count, Judgeable, clause::there};
use crate::args::args;
use crate::facts::{ConditionFacts, CountsOf};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{ClientName, StepName};

args! {
    /// Messages of a service's input of which the service did not make what it should: messages with kplan's identity
    /// that are committed in the log of the input topic, and whose identity is in no committed message, or in too few
    /// messages, of the output topic.
    ///
    /// Every such message of the input counts, also a message that was there before the service began to read. While
    /// the service runs, a message without an output makes the condition inconclusive: stop the service first, or
    /// `wait`. If the service has a `group`, the same holds for messages at or after the group's committed offset. A
    /// copier is a service too; for a copier the condition is the same as `uncopied`.
    #[example("unprocessed: { service: X, is: 0 }")]
    pub struct Unprocessed("unprocessed") {
        /// The service, or a copier.
        service: Spanned<ClientName>,
        ..count: Count,
    }
}

impl ConditionWord for Unprocessed {
    const FACTS: ConditionFacts = ConditionFacts::audited(CountsOf::Services);

    fn explain(&self) -> String {
        format!("{} in the work of {}", self.count.explain("unprocessed message"), self.service)
    }

    fn clause(&self) -> String {
        there(self.explain())
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.count.bound)
    }

    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        self.count.sent_after(&Self::FACTS)
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
