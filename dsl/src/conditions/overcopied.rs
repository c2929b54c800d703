//! `overcopied`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Committed copies beyond one for each committed message: of messages that were copied twice, or
    /// that were aborted and should not have been copied at all.
    ///
    /// With `uncopied: 0` this is exactly once.
    #[example("overcopied: 0")]
    Overcopied("overcopied"), "overcopied message",
    ConditionFacts::audited(CountsOf::Copiers).needing(Capability::Transactions)
}
