//! `lost`

use super::count::counted;

counted! {
    /// Messages that were acknowledged (for a transaction: committed), are not below the log's
    /// start, and are not in the log.
    ///
    /// The audit reads every partition from its start, after the clients stopped, with a client
    /// that took no part. While a producer runs, it is judged for what was acknowledged before the
    /// audit began.
    #[example("lost: 0")]
    Lost("lost"), "lost message"
}
