//! `aborted_read`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Aborted messages delivered to a consumer that reads committed ones only.
    #[example("aborted_read: 0")]
    AbortedRead("aborted_read"), "aborted message read",
    ConditionFacts::audited(CountsOf::Consumers).needing(Capability::Transactions)
}
