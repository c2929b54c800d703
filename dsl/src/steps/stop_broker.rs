//! `stop_broker`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Shuts brokers down gracefully: leaders move first. With `for`, they are started again after
    /// that time.
    #[example("stop_broker: 2")]
    #[example("stop_broker: { broker: { leader_of: orders/0 }, for: 30s }")]
    pub struct StopBroker("stop_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// Undone after this time.
        for_time as "for": Option<Duration>,
    }
}

impl StepWord for StopBroker {
    fn explain(&self) -> String {
        format!("Stop {} gracefully{}", self.broker, super::for_text(self.for_time))
    }

    fn needs(&self) -> Vec<Need> {
        let again = self.for_time.is_some().then(|| Need::word(Capability::Start));
        std::iter::once(Need::word(Capability::Stop)).chain(again).collect()
    }
}
