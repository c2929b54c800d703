//! `delivered`

use super::count::counted;

counted! {
    /// Messages that a consumer handed out, repetitions counted.
    #[example("delivered: { topic: orders, at_least: 1 }")]
    Delivered("delivered"), "delivered message"
}
