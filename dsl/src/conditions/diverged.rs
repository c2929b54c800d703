//! `diverged`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Offsets that showed two different messages at two times (acknowledged, delivered or
    /// audited): the log was cut back after it was seen.
    #[example("diverged: 0")]
    Diverged("diverged"), "diverged message",
    ConditionFacts::at_rest(CountsOf::Anyone).needing(Capability::Truncation)
}
