//! Client processes against librdkafka's mock cluster: what they record is what happened.

#[path = "../common/mod.rs"]
mod common;
mod copier;
mod derived;
mod groups;
mod inherited;
mod lives;
mod plain;
mod real;
mod rejoins;
mod rig;
mod stamps;
mod verifiable;
mod written;
