//! `undelivered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages in the log that the group should have received and did not: messages that are visible at its
    /// isolation level, are at or after its first position, were retained while they could have been read, and were
    /// delivered to no member although the group had caught up.
    ///
    /// The condition is inconclusive if the group has not caught up; `stop_client` lets it catch up.
    #[example("undelivered: 0")]
    Undelivered("undelivered"), "undelivered message",
    ConditionFacts::at_rest(CountsOf::Consumers)
}
