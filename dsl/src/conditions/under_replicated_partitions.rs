//! `under_replicated_partitions`

use super::partitions::{PartitionCount, partitions};
use crate::backend::Capability;
use crate::facts::ConditionFacts;
use crate::ground::{Ground, Liveness};
use crate::source::Span;

partitions! {
    /// The number of partitions with fewer in-sync replicas than replicas.
    #[example("under_replicated_partitions: { topic: orders, is: 0 }")]
    UnderReplicatedPartitions("under_replicated_partitions"), ("under-replicated ", ""),
    ConditionFacts { needs_quorum: true, ..ConditionFacts::NONE }.needing(Capability::InSyncSets),
    follow follow, returns true
}

/// If every partition has a replica on every broker, and a broker is down, every partition is under-replicated.
fn follow(it: &PartitionCount<'_>, span: Span, ground: &mut Ground<'_>) {
    it.follow(span, ground);
    let state = &ground.state;
    let Some(cluster) = &state.cluster else { return };
    let down =
        cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused));
    let asked = |name: &str| it.topic.is_none_or(|topic| topic.as_str() == name);
    let everywhere = state
        .topics
        .iter()
        .filter(|(name, topic)| asked(name) && !topic.gone && topic.replicas == cluster.brokers);
    let least: u64 = everywhere.map(|(_, topic)| u64::from(topic.partitions)).sum();
    let fewer = it.bound.and_then(|b| b.most()).is_some_and(|n| n < least);
    if down > 0 && fewer {
        let message = format!(
            "{} {} a replica on a broker that is down or paused here",
            crate::words::count(least, "partition"),
            if least == 1 { "has" } else { "have" },
        );
        ground.impossible(span, message);
    }
}
