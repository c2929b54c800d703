//! `committed`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages of committed transactions.
    #[example("committed: { topic: orders, at_least: 1 }")]
    Committed("committed"), "committed message",
    ConditionFacts::heard(CountsOf::Producers).needing(Capability::Transactions)
}
