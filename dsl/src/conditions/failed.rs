//! `failed`

use super::{ConditionWord, Count, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::ExpectedError;

args! {
    /// Messages that were reported to their producer as failed for good.
    #[example("failed: { client: P, error: NOT_ENOUGH_REPLICAS, at_least: 1 }")]
    pub struct Failed("failed") short "is" {
        /// Only those with this error: its exact code, or a pattern that is found in its code and message.
        error: Option<Spanned<ExpectedError>>,
        ..count: Count,
    }
}

impl ConditionWord for Failed {
    fn explain(&self) -> String {
        let count = self.count.explain("failed message");
        match &self.error {
            Some(error) => format!("{count} with {}", **error),
            None => count,
        }
    }

    fn judged(&self) -> Judgeable {
        self.count.judged()
    }
}
