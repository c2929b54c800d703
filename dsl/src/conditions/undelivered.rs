//! `undelivered`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages in the log that the group should have received and did not: visible at its
    /// isolation level, at or after its first position, retained while they could have been read,
    /// and delivered to no member after the group had caught up.
    ///
    /// A group that has not caught up is inconclusive; `stop_client` lets it catch up.
    #[example("undelivered: 0")]
    Undelivered("undelivered"), "undelivered message",
    ConditionFacts::at_rest(CountsOf::Consumers)
}
