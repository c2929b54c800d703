//! `delivered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that a consumer handed out, repetitions counted.
    #[example("delivered: { topic: orders, at_least: 1 }")]
    Delivered("delivered"), "delivered message",
    ConditionFacts::heard(CountsOf::Consumers)
}
