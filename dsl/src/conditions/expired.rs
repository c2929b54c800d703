//! `expired`

use super::count::counted;

counted! {
    /// Acknowledged messages below the log's start; with compaction, those superseded by a later
    /// value of their key.
    #[example("expired: { topic: orders, at_least: 1 }")]
    Expired("expired"), "expired message"
}
