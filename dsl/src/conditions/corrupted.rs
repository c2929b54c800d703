//! `corrupted`

use super::count::counted;

counted! {
    /// Messages whose payload does not match its checksum.
    #[example("corrupted: 0")]
    Corrupted("corrupted"), "corrupted message"
}
