//! Why a client did not do what it was ordered to, and the names of its errors.

use std::{io, time::Duration};

use super::{ClientState, SeenError};
use crate::client::{
    program::{NO_PROGRAM, NOT_STARTED},
    protocol::{NO_HISTORY, PROTOCOL_BROKEN, REFUSED_SETTING},
};

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

impl NotInTime {
    /// It could not record what it did: its disk is full.
    pub fn cannot_record(&self) -> bool {
        self.state.errors.iter().any(|e| e.code == NO_HISTORY)
    }

    /// Its report of a setting with which it could not be created.
    pub fn refused_setting(&self) -> Option<String> {
        self.reported(REFUSED_SETTING)
    }

    /// Its report of a program that does not exist or cannot be run.
    pub fn no_program(&self) -> Option<String> {
        self.reported(NO_PROGRAM)
    }

    /// Its report of a program that breaks the protocol, if it ended because of it.
    pub fn broke_protocol(&self) -> Option<String> {
        let broke = |e: &&SeenError| e.fatal && e.code == PROTOCOL_BROKEN;
        self.state.errors.iter().find(broke).map(|error| error.text.clone())
    }

    /// Its report of a program that the machine could not start.
    pub fn not_started(&self) -> Option<String> {
        self.reported(NOT_STARTED)
    }

    fn reported(&self, code: &str) -> Option<String> {
        let error = self.state.errors.iter().find(|e| e.code == code)?;
        Some(error.text.clone())
    }
}
