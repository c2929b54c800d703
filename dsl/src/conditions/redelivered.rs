//! `redelivered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Extra deliveries: the same message at the same offset of a partition was delivered to the group more than
    /// once.
    #[example("redelivered: { topic: orders, at_least: 1 }")]
    Redelivered("redelivered"), "redelivered message",
    ConditionFacts::audited(CountsOf::Consumers)
}
