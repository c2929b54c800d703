//! `acked`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that were acknowledged to their producer; of a transaction, those of committed
    /// ones.
    ///
    /// An acknowledgement with `acks: 0` is none.
    #[example("acked: { topic: orders, at_least: 1 }")]
    Acked("acked"), "acknowledged message",
    ConditionFacts::heard(CountsOf::Producers)
}
