//! `recovered`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::{BoundGroup, Clients, PartitionRef, StepName, TopicName};

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
    fn explain(&self) -> String {
        match self.bound {
            None => format!("the recovery time of {}", self.client),
            Some(bound) => format!("{} back within {bound}", self.client),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.bound.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
