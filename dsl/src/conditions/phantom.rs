//! `phantom`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages in the log, or delivered to a consumer, that no client and no `produce` of this run sent.
    #[example("phantom: 0")]
    Phantom("phantom"), "phantom message",
    ConditionFacts::audited(CountsOf::Anyone)
}
