//! `overprocessed`

use super::{ConditionWord, Count, Judgeable, clause::there};
use crate::args::args;
use crate::facts::{ConditionFacts, CountsOf};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{ClientName, StepName};

args! {
    /// Committed messages of a service's output beyond those that the service should make of each message of its
    /// input: of a message that the service processed twice, or that was aborted.
    ///
    /// Together, `overprocessed: { service: X, is: 0 }` and `unprocessed: { service: X, is: 0 }` mean that the service
    /// processed every message exactly once. A copier is a service too; for a copier the condition is
    /// the same as `overcopied`.
    #[example("overprocessed: { service: X, is: 0 }")]
    pub struct Overprocessed("overprocessed") {
        /// The service, or a copier.
        service: Spanned<ClientName>,
        ..count: Count,
    }
}

impl ConditionWord for Overprocessed {
    const FACTS: ConditionFacts = ConditionFacts::audited(CountsOf::Services);

    fn explain(&self) -> String {
        format!("{} in the work of {}", self.count.explain("overprocessed message"), self.service)
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
