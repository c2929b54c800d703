//! Partitions' logs on the brokers' disks: with records that Kafka's protocol shows to no
//! reader, and those of dead brokers.
//!
//! [`Log`] reads the segment files of one partition of one broker, record by record, in every format
//! that Kafka ever wrote. [`search`] searches them for lost messages, [`compare`]
//! compares the replicas of a partition, [`FileDamage`] chooses which bytes of them a plan damages. Nothing here knows where the files come from.

mod compacted;
mod compare;
mod damage;
mod legacy;
mod log;
mod search;

pub use compare::{Comparison, Difference, Replica, compare};
pub use damage::{DiskFile, FileDamage, FileEdit};
pub(crate) use log::items;
#[cfg(test)]
pub(crate) use log::testing;
pub use log::{Entry, Item, Log};
pub use search::{FoundRecord, Wanted, search};
