//! `reordered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that are in their partition behind a later sequence number of the same producer life (one run of
    /// the producer's process). Only the first copy of each message counts.
    #[example("reordered: { topic: orders, at_least: 1 }")]
    Reordered("reordered"), "reordered message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
