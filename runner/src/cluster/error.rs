//! Why an operation on a cluster did not succeed: Kafka, the plan and the rig are told apart by type.

use std::time::Duration;

use super::{Node, ending::Death};
pub use crate::codes::KafkaError;

/// A backend did not do what was asked. Most of it is the rig's doing; what is a node's own or the
/// plan's has variants of its own ([`Self::NodeExited`], [`Self::StillRuns`], [`Self::NotSo`]).
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The engine (or another thing that must exist on this machine) is missing or does not answer.
    #[error("{what}\n{help}")]
    Missing {
        what: String,
        /// The command or setting that mends it.
        help: String,
    },
    /// A node ended while it was wanted: [`Death::foreign`] tells whether by itself.
    #[error(transparent)]
    NodeExited(#[from] Death),
    /// A node that was asked to shut down lives on: its own silence, not the rig's.
    #[error("{node} did not shut down within {limit:?}")]
    StillRuns { node: Node, limit: Duration },
    /// What lives did not answer in time: its own silence, not the rig's.
    #[error("{what} took longer than {limit:?}")]
    Late { what: String, limit: Duration },
    /// The plan asks for what is not so, e.g. to stop a broker that it froze.
    #[error("{0}")]
    NotSo(String),
    /// Something took longer than its limit.
    #[error("{what} took longer than {limit:?}")]
    TimedOut { what: String, limit: Duration },
    /// This backend cannot do it (the checker should have said so).
    #[error("{backend} cannot {what}")]
    Unsupported {
        /// Backend's name.
        backend: &'static str,
        what: String,
    },
    /// Everything else, with its cause.
    #[error("{0}")]
    Other(String),
}

/// Why an admin operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Kafka refused, or did not answer in time (a code of the client's own, e.g. `_TIMED_OUT`).
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// No request could be made of what the plan asks for.
    #[error("{0}")]
    Impossible(String),
    #[error(transparent)]
    Rig(#[from] RigError),
}
