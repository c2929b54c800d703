//! `unexpected_success`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that were reported to the producer as failed for good, yet stand in the log. No
    /// error of Kafka; counted.
    #[example("unexpected_success: { topic: orders, at_least: 1 }")]
    UnexpectedSuccess("unexpected_success"), "message reported as failed",
    ConditionFacts::audited(CountsOf::Producers)
}
