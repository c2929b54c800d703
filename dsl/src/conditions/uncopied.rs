//! `uncopied`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages that copiers should have copied and did not: committed in the log of their topic, at or
    /// after the group's first position, and without a committed copy in the output.
    ///
    /// Judged for the group of each `start_copier`; one that has not caught up is inconclusive, and
    /// `stop_client` lets it catch up.
    #[example("uncopied: 0")]
    Uncopied("uncopied"), "uncopied message",
    ConditionFacts::audited(CountsOf::Copiers).needing(Capability::Transactions)
}
