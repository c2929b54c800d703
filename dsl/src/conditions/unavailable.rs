//! `unavailable`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, BoundGroup, Clients, PartitionRef, StepName, TopicName};
use crate::words::spoken;

args! {
    /// The longest time without an acknowledgement (for a consumer: a delivery) while there was a message to
    /// acknowledge (deliver), on the worst partition. A gap that is still open at the end counts up to the end. The
    /// result contains the time of day at which the gap began.
    ///
    /// A service with `from` and `to` is judged on the partitions of `from`: a message counts as delivered when the
    /// first message that is derived from it is in `to`.
    #[example("unavailable: { client: P, at_most: 60s }")]
    pub struct Unavailable("unavailable") short "client" {
        /// The client or clients; each is judged.
        client: Clients,
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition.
        partition: Option<Spanned<PartitionRef>>,
        /// Only the time after the latest run of the step of this name began.
        since: Option<Spanned<StepName>>,
        ..bound: BoundGroup<Duration>,
    }
}

impl ConditionWord for Unavailable {
    const FACTS: ConditionFacts = ConditionFacts::MEASURED;

    fn explain(&self) -> String {
        match self.bound {
            None => format!("the longest unavailability of {}", self.client),
            Some(bound) => format!("{} without service for {bound}", self.client),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn clause(&self) -> String {
        let Some(Bound::Is(time) | Bound::AtMost(time)) = self.bound else { return self.explain() };
        let were = if self.client.len() == 1 { "was" } else { "were" };
        format!("{} {were} never without service for more than {}", self.client, spoken(time))
    }

    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        self.since.as_ref()
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
