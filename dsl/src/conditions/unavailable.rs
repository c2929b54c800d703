//! `unavailable`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::{BoundGroup, Clients, PartitionRef, StepName, TopicName};

args! {
    /// The longest time without an acknowledgement (delivery) while there was something to acknowledge
    /// (deliver), on the worst partition. A gap still open at the end counts up to the end. The time of day
    /// at which it began stands in what was found.
    #[example("unavailable: { client: P, at_most: 60s }")]
    pub struct Unavailable("unavailable") short "client" {
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

impl ConditionWord for Unavailable {
    fn explain(&self) -> String {
        match self.bound {
            None => format!("the longest unavailability of {}", self.client),
            Some(bound) => format!("{} without service for {bound}", self.client),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.bound.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
