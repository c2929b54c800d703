//! `stop_client`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneMark, Leaves, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Stops clients: first the producers, which wait for the acknowledgements of all messages sent; then the
    /// consumers, which read to the end of the log, commit and leave their group.
    ///
    /// The step fails if a client cannot do this within the step's `timeout` (60s if it is not set). Conditions
    /// about the log need clients that were stopped in this way.
    ///
    /// The step stops those of the named clients and members that have not ended. It leaves out the others, and the
    /// timeline shows which. It fails if none is left. A paused client cannot stop and makes the step fail: resume
    /// it first with `resume_client`.
    #[example("stop_client: P")]
    #[example("stop_client: [P, C/2]")]
    pub struct StopClient("stop_client") short "client" {
        /// The client or clients, whole or by member.
        client: Clients,
    }
}

impl StepWord for StopClient {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clients,
        leaves: Leaves::TopicsAndGroups,
        lane: Some(LaneMark::Stopped),
        ..StepFacts::of(Kind::Traffic)
    };

    fn explain(&self) -> String {
        format!("Stop {}: producers flush, consumers read to the end", self.client)
    }

    fn in_full(&self) -> Sentence {
        let ends =
            "producers wait for their last acknowledgements, consumers read to the log's end";
        Sentence::from(format!("Stop {}: {ends}", self.client))
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.end_clients(&self.client, Liveness::Stopped);
    }
}
