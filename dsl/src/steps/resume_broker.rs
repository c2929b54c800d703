//! `resume_broker`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::source::Spanned;
use crate::value::Target;

args! {
    /// Resumes paused brokers.
    #[example("resume_broker: 2")]
    pub struct ResumeBroker("resume_broker") short "broker" {
        /// The broker or brokers.
        broker: Spanned<Target>,
    }
}

impl StepWord for ResumeBroker {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        lane: Some(LaneMark::Running),
        ..StepFacts::of(Kind::Repair)
    };

    fn explain(&self) -> String {
        format!("Resume {}", self.broker)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Pause)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let hit = ground.target(&self.broker);
        for (broker, span) in &hit.certain {
            if !matches!(ground.life(*broker), Some(Liveness::Paused | Liveness::Maybe) | None) {
                let message = format!("broker {broker} is not paused");
                ground.report(Diagnostic::new(Code::E065, *span, message));
            }
        }
        ground.all_are(hit, Liveness::Up);
    }
}
