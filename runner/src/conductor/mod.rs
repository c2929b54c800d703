//! The conductor: the only owner of run state. It takes a suite (a plan in one matrix cell) through
//! its steps, `finally` and the removal of everything, and returns how it ended.

pub mod always;
pub mod during;
pub mod schedule;
pub mod shard;
pub mod step;
mod suite;
pub mod warm;

pub use suite::{Suite, SuiteResult, Tally, run_suite};
