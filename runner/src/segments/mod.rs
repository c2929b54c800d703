//! Partitions' logs as they lie on the brokers' disks: what no reader through Kafka's protocol is
//! shown, and what dead brokers still hold.
//!
//! [`Log`] reads the segment files of one partition of one broker, record by record, in every format
//! that Kafka ever wrote. [`search`] looks in them for messages that the audit misses, [`compare`]
//! holds the replicas of a partition against each other. Nothing here knows where the files come from.

mod compacted;
mod compare;
mod legacy;
mod log;
mod search;

pub use compare::{Comparison, Difference, Replica, compare};
pub(crate) use log::items;
#[cfg(test)]
pub(crate) use log::testing;
pub use log::{Entry, Item, Log};
pub use search::{FoundRecord, Wanted, search};
