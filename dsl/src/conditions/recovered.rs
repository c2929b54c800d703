//! `recovered`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, BoundGroup, Clients, PartitionRef, StepName, TopicName};
use crate::words::spoken;

args! {
    /// From the moment at which the last fault (or that of `since`) began to act to the first
    /// acknowledgement (delivery) of a message that was sent when it acted on all that it struck, on the
    /// worst partition. Where nothing was on its way when it began, the first message after it is what
    /// waits; the time in which the plan kept the client away does not count.
    ///
    /// A fault begins with its first signal, rule or freeze, not with the end of its step; the time of day
    /// of that moment stands in what was found. A broker that is stopped acts from the order to stop on, and
    /// what is answered while it hands its leaders over counts: `unavailable` tells of gaps in between.
    /// Breaking are kill, stop, pause, partition, degrade, fill and chaos, and for its own client kill
    /// and pause; start, resume and heal are not.
    #[example("recovered: { client: P, at_most: 60s }")]
    pub struct Recovered("recovered") short "client" {
        /// The client or clients; each is judged.
        client: Clients,
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition.
        partition: Option<Spanned<PartitionRef>>,
        /// From the newest run of the step of this name.
        since: Option<Spanned<StepName>>,
        ..bound: BoundGroup<Duration>,
    }
}

impl ConditionWord for Recovered {
    const FACTS: ConditionFacts = ConditionFacts::MEASURED;

    fn explain(&self) -> String {
        match self.bound {
            None => format!("the recovery time of {}", self.client),
            Some(bound) => format!("{} back within {bound}", self.client),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn clause(&self) -> String {
        let Some(Bound::Is(time) | Bound::AtMost(time)) = self.bound else { return self.explain() };
        let are = if self.client.len() == 1 { "is" } else { "are" };
        let fault = match &self.since {
            Some(step) => format!("\"{step}\""),
            None => "the last fault".to_owned(),
        };
        format!("{} {are} served again within {} of {fault}", self.client, spoken(time))
    }

    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        self.since.as_ref()
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}

    fn defeated(&self, span: Span, ground: &mut Ground<'_>) {
        if !ground.state.broken && self.since.is_none() {
            let message = "no earlier step breaks anything, so there is nothing to recover from";
            let help = "add a fault in an earlier step, or name one with `since: STEP`";
            ground.tell(Diagnostic::new(Code::W018, span, message).help(help));
        }
    }
}
