//! `failed`

use super::{ConditionWord, Count, Judgeable, clause::there};
use crate::args::args;
use crate::facts::{ConditionFacts, CountsOf};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{ExpectedError, StepName};

args! {
    /// Messages whose final result, reported to their producer, is an error.
    #[example("failed: { client: P, error: NOT_ENOUGH_REPLICAS, at_least: 1 }")]
    pub struct Failed("failed") short "is" {
        /// Only messages with this error: the exact error code, or a pattern that matches the code and message.
        error: Option<Spanned<ExpectedError>>,
        ..count: Count,
    }
}

impl ConditionWord for Failed {
    const FACTS: ConditionFacts = ConditionFacts::heard(CountsOf::Producers);

    fn explain(&self) -> String {
        let count = self.count.explain("failed message");
        match &self.error {
            Some(error) => format!("{count} with {}", **error),
            None => count,
        }
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
