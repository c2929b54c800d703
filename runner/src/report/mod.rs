//! Reports, each a function of the run record.
//!
//! | module | for |
//! |---|---|
//! | [`live`], [`terminal`] | the terminal during and after the run |
//! | [`junit`], [`tap`] | CI systems |
//! | [`html`] | analysis: what broke, when, and how long recovery took |
//! | [`compare`] | comparison of two runs |
//! | [`github`] | annotations at the plan's lines |
//! | [`markdown`] | pull requests, step summaries |
//! | [`json`] | scripts; its schema is `schemas/report.schema.json` |
//!
//! [`trouble`] has the failures as all of them report them, so that no two reports differ.

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
