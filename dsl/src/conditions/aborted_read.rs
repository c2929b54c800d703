//! `aborted_read`

use super::count::counted;

counted! {
    /// Aborted messages delivered to a consumer that reads committed ones only.
    #[example("aborted_read: 0")]
    AbortedRead("aborted_read"), "aborted message read", needs Transactions
}
