//! `unresolved`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages sent by a life that died before it heard the answer: they may be in the log or not.
    /// Counted, never lost.
    #[example("unresolved: { topic: orders, at_least: 1 }")]
    Unresolved("unresolved"), "unresolved message",
    ConditionFacts::audited(CountsOf::Producers)
}
