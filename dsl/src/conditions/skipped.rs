//! `skipped`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Visible messages that a consumer's delivery jumped over and no earlier delivery of the group
    /// covered. Control records, aborted messages and compacted offsets are no gaps.
    #[example("skipped: 0")]
    Skipped("skipped"), "skipped message",
    ConditionFacts::audited(CountsOf::Consumers)
}
