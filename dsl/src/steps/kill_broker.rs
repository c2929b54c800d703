//! `kill_broker`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Kills brokers with SIGKILL. Several are signalled together.
    ///
    /// SIGKILL keeps what the operating system has in memory for the disk: it is not a loss of
    /// power. With `for`, they are started again after that time.
    #[example("kill_broker: 2")]
    #[example("kill_broker: { broker: { leader_of: orders/0 }, for: 30s }")]
    pub struct KillBroker("kill_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
        /// Undone after this time.
        for_time as "for": Option<Duration>,
    }
}

impl StepWord for KillBroker {
    fn explain(&self) -> String {
        format!("Kill {}{}", self.broker, super::for_text(self.for_time))
    }

    fn needs(&self) -> Vec<Need> {
        let again = self.for_time.is_some().then(|| Need::word(Capability::Start));
        std::iter::once(Need::word(Capability::Kill)).chain(again).collect()
    }
}
