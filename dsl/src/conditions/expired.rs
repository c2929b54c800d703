//! `expired`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Acknowledged messages below the log's start; with compaction, those superseded by a later
    /// value of their key.
    #[example("expired: { topic: orders, at_least: 1 }")]
    Expired("expired"), "expired message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
