//! `unresolved`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages whose result is unknown, because the producer's process ended before it received the answer or the
    /// end of the transaction, or because they were sent with `acks: 0`. They may be in the log or not, and never
    /// count as `lost`.
    #[example("unresolved: { topic: orders, at_least: 1 }")]
    Unresolved("unresolved"), "unresolved message",
    ConditionFacts::audited(CountsOf::Producers)
}
