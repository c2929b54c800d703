//! `uncopied`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that a copier should have copied and did not: messages that are committed in the log of the input
    /// topic, at or after the group's first position, and that have no committed copy in the output.
    ///
    /// The condition is judged for the group of each `start_copier`. It is inconclusive if a group has not caught
    /// up; `stop_client` lets the group catch up. For one copier, or for a service of your own, use `unprocessed`.
    #[example("uncopied: 0")]
    Uncopied("uncopied"), "uncopied message",
    ConditionFacts::audited(CountsOf::Copiers).needing(Capability::Transactions)
}
