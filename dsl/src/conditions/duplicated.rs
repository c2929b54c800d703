//! `duplicated`

use super::count::counted;

counted! {
    /// Extra copies of messages in the log: one message that stands three times counts two.
    #[example("duplicated: { topic: orders, at_least: 1 }")]
    Duplicated("duplicated"), "duplicated message"
}
