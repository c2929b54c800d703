//! `aborted`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages of aborted transactions.
    #[example("aborted: { topic: orders, at_least: 1 }")]
    Aborted("aborted"), "aborted message",
    ConditionFacts::heard(CountsOf::Producers).needing(Capability::Transactions)
}
