//! Planted lies: a proxy between kplan and real brokers changes what is sent and what is given, and
//! keeps a ledger; damage is done to brokers' disks. kplan must count exactly that, and nothing else.
//! The table of them is in docs/judgement.md. They need an engine and the image of
//! `ci/kafka-image 4.1.1` (ignored unless asked for).

#[path = "../common/mod.rs"]
mod common;
mod delays;
mod disks;
mod fetched;
mod produced;
mod proxy;
mod rig;
mod routes;
