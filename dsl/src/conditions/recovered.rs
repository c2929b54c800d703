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
    /// The recovery time of a client: from the moment at which the last fault (or the fault of `since`) took effect
    /// to the first acknowledgement (for a consumer: delivery) of a message that was sent when the fault was in
    /// effect on everything that it affects. The slowest partition counts. If no message was in flight when the
    /// fault took effect, the time begins with the first message after it. Time in which the plan kept the client
    /// stopped, killed or paused does not count.
    ///
    /// A fault takes effect with its first signal, network rule or pause, not with the end of its step; the result
    /// contains the time of day of that moment. The stop of a broker takes effect with the order to stop, and
    /// answers while the broker hands over its leaders count: `unavailable` shows the gaps in between. Faults are
    /// kill, stop, pause, partition, degrade, fill and chaos, and, for the client itself, its kill and pause;
    /// start, resume and heal are not faults.
    ///
    /// A service with `from` and `to` is judged on the partitions of `from`: a message counts as delivered when the
    /// first message that is derived from it is in `to`.
    #[example("recovered: { client: P, at_most: 60s }")]
    pub struct Recovered("recovered") short "client" {
        /// The client or clients; each is judged.
        client: Clients,
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition.
        partition: Option<Spanned<PartitionRef>>,
        /// The step whose fault counts, by its name; of several runs the latest.
        since: Option<Spanned<StepName>>,
        ..bound: BoundGroup<Duration>,
    }
}

impl ConditionWord for Recovered {
    const FACTS: ConditionFacts = ConditionFacts::MEASURED;

    fn explain(&self) -> String {
        match self.bound {
            None => format!("the recovery time of {}", self.client),
            Some(bound) => format!("{} recovered within {bound}", self.client),
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
        format!("{} {are} served again within {} after {fault}", self.client, spoken(time))
    }

    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        self.since.as_ref()
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}

    fn defeated(&self, span: Span, ground: &mut Ground<'_>) {
        if !ground.state.broken && self.since.is_none() {
            let message = "no earlier step breaks anything, so there is nothing to recover from";
            let help = "add a fault in an earlier step, or name one with `since: STEP`";
            ground.report(Diagnostic::new(Code::W018, span, message).help(help));
        }
        let since = self.since.as_ref().filter(|since| {
            ground.names.get(since.as_str()).is_some_and(|met| !met.may_break && !met.is_note)
        });
        if let Some(since) = since {
            let message =
                format!("step \"{since}\" breaks nothing, so there is nothing to recover from");
            let help = "name the step of a fault in `since`, or leave it out: then the newest fault counts";
            ground.report(Diagnostic::new(Code::W018, since.span, message).help(help));
        }
    }
}
