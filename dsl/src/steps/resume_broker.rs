//! `resume_broker`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::facts::{Kind, StepFacts, Strikes};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Lets frozen brokers go on.
    #[example("resume_broker: 2")]
    pub struct ResumeBroker("resume_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
    }
}

impl StepWord for ResumeBroker {
    const FACTS: StepFacts =
        StepFacts { strikes: Strikes::Processes, ..StepFacts::of(Kind::Repair) };

    fn explain(&self) -> String {
        format!("Let {} go on", self.broker)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Pause)]
    }
}
