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
    let topic = it.topic.and_then(|name| state.topics.get(name.as_str()));
    let (Some(topic), Some(cluster)) = (topic, &state.cluster) else { return };
    let down = cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped));
    let all = u64::from(topic.partitions);
    let fewer = it.bound.and_then(|b| b.most()).is_some_and(|n| n < all);
    if topic.replicas == cluster.brokers && down > 0 && fewer {
        let message =
            format!("every partition has a replica on a broker that is down here ({down} are)");
        ground.impossible(span, message);
    }
}
