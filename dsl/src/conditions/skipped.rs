//! `skipped`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Visible messages that a consumer's deliveries passed over and that had not been delivered to the group
    /// before. Control records, aborted messages and compacted offsets do not count.
    #[example("skipped: 0")]
    Skipped("skipped"), "skipped message",
    ConditionFacts::audited(CountsOf::Consumers)
}
