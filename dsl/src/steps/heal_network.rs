//! `heal_network`

use super::StepWord;
use crate::args::args;

args! {
    /// Undoes every `partition_network` and `degrade_network`, and tries the lines that were cut.
    ///
    /// A network that is whole stays so without an error.
    #[example("heal_network")]
    pub struct HealNetwork("heal_network") {}
}

impl StepWord for HealNetwork {
    fn explain(&self) -> String {
        "Heal the network".to_owned()
    }
}
