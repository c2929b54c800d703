//! `diverged`

use super::count::counted;

counted! {
    /// Offsets that showed two different messages at two times (acknowledged, delivered or
    /// audited): the log was cut back after it was seen.
    #[example("diverged: 0")]
    Diverged("diverged"), "diverged message", needs Truncation
}
