//! `delivered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that were delivered to a consumer. Repeated deliveries count each time.
    #[example("delivered: { topic: orders, at_least: 1 }")]
    Delivered("delivered"), "delivered message",
    ConditionFacts::heard(CountsOf::Consumers)
}
