//! `overcopied`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Committed copies beyond one for each committed message: copies of messages that were copied more than once,
    /// or that were aborted and should not have been copied.
    ///
    /// Together, `overcopied: 0` and `uncopied: 0` mean that every message was copied exactly once. For one copier, or
    /// for a service of your own, use `overprocessed`.
    #[example("overcopied: 0")]
    Overcopied("overcopied"), "overcopied message",
    ConditionFacts::audited(CountsOf::Copiers).needing(Capability::Transactions)
}
