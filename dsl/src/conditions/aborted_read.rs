//! `aborted_read`

use super::count::counted;
use crate::backend::Capability;
use crate::facts::{ConditionFacts, CountsOf};

counted! {
    /// Messages of aborted transactions that were delivered to a consumer with `isolation: read_committed`.
    #[example("aborted_read: 0")]
    AbortedRead("aborted_read"), "aborted message read",
    ConditionFacts::audited(CountsOf::Consumers).needing(Capability::Transactions)
}
