//! `diverged`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Offsets at which two different messages were seen at different times (in an acknowledgement, a delivery or
    /// the audit): the log was truncated after the first one was seen.
    #[example("diverged: 0")]
    Diverged("diverged"), "diverged message",
    ConditionFacts::at_rest(CountsOf::Anyone).needing(Capability::Truncation)
}
