//! What a node has in a container of its own, alike for every backend that makes containers.

pub mod archive;
mod clocks;
pub mod command;
mod damage;
mod disk_calls;
pub mod files;
pub mod network;
pub mod output;
pub mod power;
pub mod preloads;
pub mod rules;
mod security;
pub mod shell;
pub mod space;

pub use security::Secured;

use super::ClusterSpec;

/// Longest prefix of names: a host name (a DNS label) has 63 letters at most.
const PREFIX_LENGTH: usize = 48;

/// A name that no other cluster has, with only characters that host names allow.
pub fn prefix(spec: &ClusterSpec) -> String {
    let wanted = format!("kplan-{}-{}", spec.run, spec.name);
    let plain = wanted.chars().map(|c| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '-',
    });
    let cut: String = plain.take(PREFIX_LENGTH - 5).collect();
    format!("{}-{:04x}", cut.trim_end_matches('-'), rand::random::<u16>())
}
