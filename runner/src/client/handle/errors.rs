//! Why a client did not do what it was ordered to, and the names of its errors.

use std::{io, time::Duration};

use super::ClientState;

/// True for librdkafka's codes of a client that brokers refuse.
pub fn is_refusal(code: &str) -> bool {
    matches!(code, "_AUTHENTICATION" | "_SSL")
}

/// Kafka's name of an error for which librdkafka has its own name: plans may expect it.
pub fn kafkas_name(code: &str) -> Option<&'static str> {
    (code == "_AUTHENTICATION").then_some("SASL_AUTHENTICATION_FAILED")
}

/// Why a client did not do what it was ordered to.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Its process could not be started or reached.
    #[error("client {name}: {what}: {source}")]
    Process {
        name: String,
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It did not reach its state in time, or ended before.
    #[error(transparent)]
    NotInTime(NotInTime),
}

/// Describes the state that a client did not reach; without a limit it should have been in it at once.
fn missed(what: &str, limit: Duration) -> String {
    match limit.is_zero() {
        true => format!("is not {what}"),
        false => format!("was not {what} within {limit:?}"),
    }
}

/// A client that did not reach a state in time, or ended before.
#[derive(Debug, thiserror::Error)]
#[error("client {name} {}: {}", missed(what, *limit), state.causes())]
pub struct NotInTime {
    pub name: String,
    /// Ready, stopped.
    pub what: &'static str,
    pub limit: Duration,
    /// Its last known state.
    pub state: Box<ClientState>,
}
