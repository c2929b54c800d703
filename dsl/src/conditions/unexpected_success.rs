//! `unexpected_success`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages in the log that were reported to the producer as failed for good, or whose transaction was aborted.
    /// A failed message in the log is not an error of Kafka: it is only counted.
    #[example("unexpected_success: { topic: orders, at_least: 1 }")]
    UnexpectedSuccess("unexpected_success"), "message reported as failed",
    ConditionFacts::audited(CountsOf::Producers)
}
