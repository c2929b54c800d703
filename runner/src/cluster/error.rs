//! Why an operation on a cluster did not succeed: the type distinguishes Kafka, the plan and the rig.

use std::time::Duration;

use super::{Node, ending::Death};
pub use crate::codes::KafkaError;
use crate::engine::NoEngine;

/// An operation of a backend failed. Most failures are the rig's; failures of a node or of the plan have variants
/// of their own ([`Self::NodeExited`], [`Self::StillRuns`], [`Self::NotSo`]).
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The engine (or another thing that must exist on this machine) is missing or does not answer.
    #[error("{what}\n{help}")]
    Missing {
        what: String,
        /// The command or setting that fixes it.
        help: String,
    },
    /// A node ended while it should run: [`Death::foreign`] is false if it ended by itself.
    #[error(transparent)]
    NodeExited(#[from] Death),
    /// A node that was asked to shut down is still alive: a failure of the node, not of the rig.
    #[error("{node} did not shut down within {limit:?}")]
    StillRuns { node: Node, limit: Duration },
    /// A living node did not answer in time: a failure of the node, not of the rig.
    #[error("{what} took longer than {limit:?}")]
    Late { what: String, limit: Duration },
    /// The plan requires a state that does not hold, e.g. it stops a broker that it paused.
    #[error("{0}")]
    NotSo(String),
    /// Something took longer than its limit.
    #[error("{what} took longer than {limit:?}")]
    TimedOut { what: String, limit: Duration },
    /// This backend cannot do it (the checker should have reported it).
    #[error("{backend} cannot {what}")]
    Unsupported {
        /// Backend's name.
        backend: &'static str,
        what: String,
    },
    /// Any other error, with its cause.
    #[error("{0}")]
    Other(String),
}

impl From<NoEngine> for RigError {
    fn from(error: NoEngine) -> Self {
        let NoEngine { what, help } = error;
        Self::Missing { what, help }
    }
}

/// Why an admin operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Kafka refused, or did not answer in time (a code of the client's own, e.g. `_TIMED_OUT`).
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// No request could be built from what the plan asks for.
    #[error("{0}")]
    Impossible(String),
    #[error(transparent)]
    Rig(#[from] RigError),
}
