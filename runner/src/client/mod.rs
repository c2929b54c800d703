//! Producers, consumers, copiers, services and readers as child processes: their orders ([`spec`]) and their reports
//! ([`protocol`], and for each message the [`crate::history`]).
//!
//! A client is this same binary, started as `kplan client --run`: [`hidden_main`]. It reads its
//! [`spec::ClientSpec`] and its orders from stdin, reports on stdout, logs to stderr, and ends when
//! its runner does. [`handle`] is the runner's side.

mod consumer;
mod consumer_state;
mod copier;
pub mod derived;
pub mod handle;
pub mod http;
pub mod latency;
mod ledger;
mod log_reader;
mod message;
mod outbox;
mod producer;
pub mod program;
pub mod protocol;
mod raw;
pub mod routes;
mod service;
pub mod settings;
pub mod spec;
mod transactions;
mod verifiable;
mod voice;

use std::{
    io::{BufRead, Write},
    process::ExitCode,
    sync::mpsc::Receiver,
    time::Duration,
};

pub use raw::Code;
pub(crate) use raw::{ClientType, NotSet, Routed, ask, create, table};

use crate::history::{HistoryError, now_us};
use protocol::{ClientReport, GIVES_UP, NO_HISTORY, Order, REFUSED_SETTING};
use raw::{Asked, Instance, Kafka, Refused};
use spec::ClientStart;
use voice::Voice;

/// Why a client ends before it was ordered to.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct ClientError {
    text: String,
    /// The name under which it is reported.
    code: &'static str,
}

impl ClientError {
    fn new(text: String) -> Self {
        Self { text, code: GIVES_UP }
    }
}

impl From<HistoryError> for ClientError {
    fn from(e: HistoryError) -> Self {
        Self { text: e.to_string(), code: NO_HISTORY }
    }
}

impl From<Refused> for ClientError {
    fn from(e: Refused) -> Self {
        Self { text: e.to_string(), code: REFUSED_SETTING }
    }
}

impl From<Asked> for ClientError {
    fn from(e: Asked) -> Self {
        Self::new(e.to_string())
    }
}

/// Ends a client whose instance of librdkafka is of no use any more, such as a consumer that was fenced: it would wait
/// for ever.
fn usable(kafka: &Kafka<'_>, voice: &Voice) -> Result<(), ClientError> {
    let Some((code, words)) = kafka.fatal() else { return Ok(()) };
    voice.error(code, true, &words);
    Err(ClientError::new(format!("{code}: {words}")))
}

/// The body of a client process: its arguments only identify it in the process list. Exit
/// status 0 after an ordered end, 1 when it could not go on (it reported why), 2 for a first line
/// that is not a [`ClientStart`], 3 when the runner is gone.
pub fn hidden_main() -> ExitCode {
    close_inherited();
    let mut first = String::new();
    let ClientStart { spec, secrets } = match std::io::stdin()
        .lock()
        .read_line(&mut first)
        .map_err(serde_json::Error::io)
        .and_then(|_| serde_json::from_str(&first))
    {
        Ok(reported) => reported,
        Err(e) => {
            log(&format!("cannot read the orders: {e}"));
            return ExitCode::from(2);
        }
    };
    secrets.iter().for_each(|secret| crate::secrets::hide(secret));
    let (voice, writer) = Voice::start();
    let orders = voice::orders();
    let code = match spec.kind().run(&voice, &orders) {
        Ok(ended) => {
            voice.say(ended);
            ExitCode::SUCCESS
        }
        Err(e) => {
            log(&format!("cannot go on: {e}"));
            voice.say(ClientReport::Error {
                at_us: now_us(),
                code: e.code.to_owned(),
                number: 0,
                text: e.to_string(),
                fatal: true,
            });
            ExitCode::FAILURE
        }
    };
    // The writer ends when no sender is left.
    drop(voice);
    let _ = writer.join();
    code
}

/// Closes everything but the standard streams: the runner's mock cluster opens its sockets without
/// "close on exec", so a client that starts holds the connections of the clients before it, and the
/// death of a broker would not end them.
fn close_inherited() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let number =
        |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let inherited: Vec<i32> = open.filter_map(number).filter(|fd| *fd > 2).collect();
    for fd in inherited {
        // One of them was the directory's, closed by now.
        let _ = nix::unistd::close(fd);
    }
}

/// Waits for the first contact with the cluster and reports it; none if ordered to stop before.
fn contact(kafka: &Instance, voice: &Voice, orders: &Receiver<Order>) -> Option<()> {
    loop {
        match kafka.contact(Duration::from_millis(500)) {
            Ok(contact) => {
                let (broker, name) = (contact.broker, contact.name);
                voice.say(ClientReport::Ready { at_us: now_us(), broker, name });
                return Some(());
            }
            Err(code) => log(&format!("no contact yet: {code}")),
        }
        kafka.poll(Duration::from_millis(10));
        if orders.try_recv().is_ok() {
            return None;
        }
    }
}

/// Writes a line to the client's log.
fn log(text: &str) {
    // A log that cannot be written is no reason to stop.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client's log, a file: reports clean what they show of it"
    )]
    let _ = writeln!(std::io::stderr(), "{} {}", now_us(), crate::secrets::mask(text));
}
