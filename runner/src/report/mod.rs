//! Reports, each a function of the run record.
//!
//! | module | for |
//! |---|---|
//! | [`live`], [`terminal`] | whoever waits for the run |
//! | [`junit`], [`tap`] | CI systems |
//! | [`html`] | whoever asks what broke, when, and how long it took to heal |
//! | [`compare`] | whoever sets two runs side by side |
//! | [`github`] | annotations at the plan's lines |
//! | [`markdown`] | pull requests, step summaries |
//! | [`json`] | scripts; its schema is `schemas/report.schema.json` |
//!
//! [`trouble`] holds what all of them tell of a failure, so that no two reports differ in it.

pub mod compare;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod live;
pub mod logs;
pub mod markdown;
pub mod tap;
pub mod terminal;
pub mod text;
pub mod totals;
pub mod trouble;
