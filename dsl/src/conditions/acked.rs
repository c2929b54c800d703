//! `acked`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that were acknowledged to their producer. Messages of a transaction count when it is committed.
    ///
    /// Messages that were sent with `acks: 0` do not count as acknowledged.
    #[example("acked: { topic: orders, at_least: 1 }")]
    Acked("acked"), "acknowledged message",
    ConditionFacts::heard(CountsOf::Producers)
}
