//! `aborted`

use super::count::counted;

counted! {
    /// Messages of aborted transactions.
    #[example("aborted: { topic: orders, at_least: 1 }")]
    Aborted("aborted"), "aborted message", needs Transactions
}
