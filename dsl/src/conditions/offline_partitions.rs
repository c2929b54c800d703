//! `offline_partitions`

use super::partitions::{PartitionCount, partitions};
use crate::facts::ConditionFacts;

partitions! {
    /// The number of partitions without a running leader.
    #[example("offline_partitions: { topic: orders, is: 0 }")]
    OfflinePartitions("offline_partitions"), ("", " without a leader"),
    ConditionFacts { needs_quorum: true, ..ConditionFacts::NONE },
    follow PartitionCount::follow, returns false
}
