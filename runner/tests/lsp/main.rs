//! `kplan lsp`, driven over its standard input and output as an editor does it.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod bad_input;
mod client;
mod diagnostics;
mod names;

/// A plan without mistakes.
const PLAN: &str = "\
plan: v1
name: Drill
params:
  acks: all
matrix:
  version: [3.9.1, 4.1.1]
steps:
  - start_cluster: { brokers: 3, version: \"{{ version }}\" }
  - create_topic: { name: orders, partitions: 3 }
  - start_producer: { name: P, topic: orders, acks: \"{{ acks }}\" }
  - wait: 5s
  - kill_broker: { broker: { leader_of: orders/0 }, for: 5s }
  - stop_client: P
  - assert: [lost: 0]
";
