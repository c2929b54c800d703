//! `under_min_isr_partitions`

use super::partitions::{PartitionCount, partitions};
use crate::backend::Capability;
use crate::facts::ConditionFacts;

partitions! {
    /// The number of partitions with fewer in-sync replicas than `min.insync.replicas`: they refuse writes with
    /// `acks: all`.
    #[example("under_min_isr_partitions: { topic: orders, is: 0 }")]
    UnderMinIsrPartitions("under_min_isr_partitions"), ("", " below min.insync.replicas"),
    ConditionFacts::NONE.needing(Capability::InSyncSets),
    follow PartitionCount::follow, returns false
}
