//! Why a client did not do what it was asked, and what its errors are called.

use std::{io, time::Duration};

use super::ClientState;

/// True for librdkafka's codes of a client that is not let in.
pub fn is_refusal(code: &str) -> bool {
    matches!(code, "_AUTHENTICATION" | "_SSL")
}

/// Kafka's name of an error where librdkafka has one of its own: what a plan may expect.
pub fn kafkas_name(code: &str) -> Option<&'static str> {
    (code == "_AUTHENTICATION").then_some("SASL_AUTHENTICATION_FAILED")
}

/// Why a client did not do what it was asked.
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
    /// It did not get there in time, or ended before.
    #[error(transparent)]
    NotInTime(NotInTime),
}

/// What a client did not do; without a limit it was to be there at once.
fn missed(what: &str, limit: Duration) -> String {
    match limit.is_zero() {
        true => format!("is not {what}"),
        false => format!("was not {what} within {limit:?}"),
    }
}

/// A client that was not in time where it was to be, or ended before.
#[derive(Debug, thiserror::Error)]
#[error("client {name} {}: {}", missed(what, *limit), state.causes())]
pub struct NotInTime {
    pub name: String,
    /// Ready, stopped.
    pub what: &'static str,
    pub limit: Duration,
    /// What is known of it.
    pub state: Box<ClientState>,
}
