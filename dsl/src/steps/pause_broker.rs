//! `pause_broker`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Freezes the processes of brokers: they neither answer nor close their connections. With
    /// `for`, they go on after that time.
    #[example("pause_broker: 2")]
    #[example("pause_broker: { broker: { leader_of: orders/0 }, for: 30s }")]
    pub struct PauseBroker("pause_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// Undone after this time.
        for_time as "for": Option<Duration>,
    }
}

impl StepWord for PauseBroker {
    fn explain(&self) -> String {
        format!("Freeze {}{}", self.broker, super::for_text(self.for_time))
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Pause)]
    }
}
