//! `redelivered`

use super::count::counted;

counted! {
    /// Extra deliveries: the same offset of a partition given to the group more than once.
    #[example("redelivered: { topic: orders, at_least: 1 }")]
    Redelivered("redelivered"), "redelivered message"
}
