//! Why an operation on a cluster did not succeed: the rig and Kafka are told apart by type.

use std::time::Duration;

use super::Node;

/// The rig could not do what was asked: never a verdict about Kafka.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The engine (or another thing that must exist on this machine) is missing or does not answer.
    #[error("{what}\n{help}")]
    Missing {
        /// What is missing.
        what: String,
        /// The command or setting that mends it.
        help: String,
    },
    /// A node ended by itself while it was wanted.
    #[error("{node} exited by itself ({exit}); the last lines of its log:\n{log_tail}")]
    NodeExited {
        /// Which.
        node: Node,
        /// Exit code or signal.
        exit: String,
        /// Its last lines.
        log_tail: String,
        /// Not Kafka's own doing: memory ran out, or somebody else sent a signal.
        foreign: bool,
    },
    /// Something took longer than its limit.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// What.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// This backend cannot do it (the checker should have said so).
    #[error("{backend} cannot {what}")]
    Unsupported {
        /// Backend's name.
        backend: &'static str,
        /// What.
        what: String,
    },
    /// Everything else, with its cause.
    #[error("{0}")]
    Other(String),
}

/// What Kafka answered to an admin request: a fact about Kafka, not about the rig.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KafkaError {
    /// Kafka's error name, e.g. `INVALID_REPLICATION_FACTOR`.
    pub code: String,
    /// What it said.
    pub message: String,
}

/// Why an admin operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Kafka refused.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The rig failed.
    #[error(transparent)]
    Rig(#[from] RigError),
}
