//! `committed`

use super::count::counted;

counted! {
    /// Messages of committed transactions.
    #[example("committed: { topic: orders, at_least: 1 }")]
    Committed("committed"), "committed message", needs Transactions
}
