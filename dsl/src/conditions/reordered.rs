//! `reordered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that lie in their partition after a later sequence number of the same producer
    /// life; only the first copy of each message counts.
    #[example("reordered: { topic: orders, at_least: 1 }")]
    Reordered("reordered"), "reordered message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
