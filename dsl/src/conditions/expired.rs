//! `expired`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Acknowledged messages below the log start offset; with compaction, also those that were replaced by a later
    /// value of their key.
    #[example("expired: { topic: orders, at_least: 1 }")]
    Expired("expired"), "expired message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
