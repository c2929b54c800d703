//! One file a command.

pub mod backend;
pub mod check;
pub mod clean;
pub mod client;
pub mod compare;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod image;
pub mod init;
pub mod kafka;
pub mod list;
pub mod lsp;
pub mod man;
pub mod plans;
pub mod report;
pub mod reports;
pub mod run;
pub mod schema;
pub mod settings;
mod shrink;
pub mod words;
