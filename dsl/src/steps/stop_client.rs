//! `stop_client`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, LaneMark, Leaves, StepFacts, Strikes};
use crate::ground::{Ground, Liveness, StepAt};
use crate::value::Clients;
use crate::words::Sentence;

args! {
    /// Stops clients: first the producers, which flush what was sent; then the consumers, which
    /// read to the log's end, commit and leave their group.
    ///
    /// Who cannot do that within the step's `timeout` (60s unless said otherwise) fails the step.
    /// Judgements about the log need it.
    ///
    /// Of the clients and members that it names it works on those that have not ended; the others are left
    /// out, and the timeline says so. If none is left the step fails. One that is paused cannot stop, and
    /// fails the step: `resume_client` lets it go on.
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
