//! `duplicated`

use super::count::counted;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Extra copies of messages in the log: a message that is in the log three times counts as two.
    #[example("duplicated: { topic: orders, at_least: 1 }")]
    Duplicated("duplicated"), "duplicated message",
    ConditionFacts::at_rest(CountsOf::Anyone)
}
