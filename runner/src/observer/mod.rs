//! Observes the cluster, broker by broker.
//!
//! [`Observer`] keeps one connection to every broker, merges the answers of the living brokers into a
//! [`ClusterView`] and reports every [`Change`]. [`Asker`] sends single requests: offsets,
//! groups, settings, reachability. Both use the protocol through [`crate::wire::Connection`].

mod acls;
mod alter;
mod ask;
mod behind;
mod change;
mod elect;
#[cfg(test)]
mod fake;
mod groups;
mod hub;
mod lag;
mod merge;
mod offsets;
mod poll;
mod quorum;
mod quotas;
mod reassign;
mod records;
mod settings;
mod table;
mod users;
mod view;
mod vigil;
mod watch;
mod zookeeper;

pub use acls::{AclResource, AclRule, acl_operation};
pub use alter::{Changes, DynamicValue, Resource};
pub use ask::{AskError, Asker, patiently};
pub use change::{Change, Seen};
pub use elect::Elected;
pub use groups::{GroupView, Member};
pub use lag::{Lag, Records};
pub use merge::{Answer, Authority, Inputs, Via, ZnodeState, Znodes, merge};
pub use offsets::{At, AuditBounds, Bounds, TopicPartition};
pub use quorum::QuorumWord;
pub use quotas::{QuotaEntity, QuotaLimits};
pub use table::{cluster_table, topic_table};
pub use view::{BrokerView, ClusterView, Named, PartitionView, TopicView};
pub use vigil::Vigil;
pub use watch::{Hurry, Observer};

/// Kafka's internal topics (before Metadata v1 no broker marks them).
pub fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}
