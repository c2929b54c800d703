//! The conductor: the only owner of run state. It takes a suite (a plan in one matrix cell) through
//! its steps, `finally` and the removal of everything, and says how it ended.

pub mod always;
pub mod audits;
pub mod chaos;
pub mod clients;
pub mod disks;
pub mod during;
pub mod ended;
pub mod faults;
pub mod hearing;
pub mod judge;
pub mod network;
pub mod nodes;
pub mod outcome;
pub mod rig;
pub mod sampler;
pub mod schedule;
pub mod segments;
pub mod settings;
pub mod shard;
pub mod sight;
pub mod signals;
pub mod sink;
pub mod stage;
pub mod step;
mod suite;
pub mod targets;
pub mod throttles;
pub mod totals;
pub mod wants;
pub mod warm;

pub use suite::{Suite, SuiteResult, Tally, run_suite};
