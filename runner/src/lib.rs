//! kplan's runner: carries out a checked plan on a cluster and judges what happened.
//!
//! One way from text to report: a [`kplan_dsl`] plan is carried out by the conductor, which is the
//! only owner of run state and writes [`event::Event`]s; [`record::RunRecord`] is folded from the
//! events; each report is a function of the record. See ARCHITECTURE.md.

#![allow(
    missing_docs,
    reason = "a library only for its tests and its binary: comments stand where a name does not say it all"
)]
#![cfg_attr(not(test), warn(clippy::disallowed_macros, clippy::disallowed_methods))]

pub mod audit;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod codes;
pub mod commands;
pub mod conditions;
pub mod conductor;
pub mod engine;
pub mod event;
pub mod exit;
pub mod guardian;
pub mod history;
pub mod identity;
pub mod new_container;
pub mod observer;
pub mod out;
pub mod processes;
pub mod proxy;
pub mod record;
pub mod report;
pub mod rundir;
pub mod secrets;
pub mod segments;
pub mod stage;
pub mod steps;
pub mod wire;
