//! `in_sync`

use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::backend::Capability;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::{Ground, KnownTopic, Liveness};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bound, PartitionRef, TopicName};

args! {
    /// The number of in-sync replicas of a partition, for every partition of a topic or for one partition.
    #[example("in_sync: { topic: orders, replicas: 3 }")]
    pub struct InSync("in_sync") short "topic" {
        /// The topic, for all of its partitions.
        topic: Option<Spanned<TopicName>>,
        /// One partition.
        partition: Option<Spanned<PartitionRef>>,
        /// The number of in-sync replicas, as a number or a bound.
        replicas: Option<Bound<u64>>,
    }
}

impl InSync {
    /// The topic of the condition, if it is known.
    fn known<'g>(&self, ground: &'g Ground<'_>) -> Option<&'g KnownTopic> {
        let name = self.topic.as_deref().or_else(|| self.partition.as_ref().map(|p| &p.topic))?;
        ground.state.topics.get(name.as_str()).filter(|topic| !topic.gone)
    }
}

impl ConditionWord for InSync {
    const FACTS: ConditionFacts = ConditionFacts {
        needs_quorum: true,
        weighs: Weighs::Arguments(&[
            ("topic", ArgumentWeighs::WithAnother),
            ("partition", ArgumentWeighs::OnePartition),
        ]),
        ..ConditionFacts::NONE.needing(Capability::InSyncSets)
    };

    fn explain(&self) -> String {
        let whose = match (&self.partition, &self.topic) {
            (Some(partition), _) => partition.to_string(),
            (None, Some(topic)) => format!("every partition of {topic}"),
            (None, None) => "every partition".to_owned(),
        };
        match self.replicas {
            None => format!("the in-sync replicas of {whose}"),
            Some(bound) => format!("{whose} has {} in sync", bound.of("replica")),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.replicas)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        let message = match (&self.topic, &self.partition) {
            (Some(_), None) | (None, Some(_)) => return,
            (None, None) => "`in_sync` needs a `topic` or a `partition`",
            (Some(_), Some(_)) => "`in_sync` takes a `topic` or a `partition`, not both",
        };
        reader.push(Diagnostic::new(Code::E016, span, message));
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let (Some(topic), Some(cluster)) = (self.known(ground), &ground.state.cluster) else {
            return;
        };
        let Some(least) = self.replicas.and_then(|b| b.least()) else { return };
        let (replicas, all) = (u64::from(topic.replicas), u64::from(cluster.brokers));
        let down = u64::from(
            cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused)),
        );
        let wanted = crate::words::count(least, "replica");
        let message = if least > replicas {
            let has = crate::words::count(replicas, "replica");
            format!("{wanted} in sync, but each partition has {has}")
        } else if least > all - down {
            format!("{wanted} in sync, but only {} of {all} brokers live here", all - down)
        } else if replicas == all && down > 0 && least > replicas - down {
            format!("{wanted} in sync, but {down} of the {all} brokers are down or paused here")
        } else {
            return;
        };
        ground.impossible(span, message);
    }

    fn shows(&self, ground: &Ground<'_>) -> Shows {
        Shows::of_all(self.replicas, self.known(ground).map(|topic| u64::from(topic.replicas)))
    }
}
