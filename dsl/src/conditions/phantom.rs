//! `phantom`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages in the log or delivered that no client and no `produce` of this run ever sent.
    #[example("phantom: 0")]
    Phantom("phantom"), "phantom message",
    ConditionFacts::audited(CountsOf::Anyone)
}
