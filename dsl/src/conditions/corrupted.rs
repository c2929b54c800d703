//! `corrupted`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages whose payload does not match its checksum.
    #[example("corrupted: 0")]
    Corrupted("corrupted"), "corrupted message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
