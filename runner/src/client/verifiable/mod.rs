//! Clients of other programs: a client process starts the program, gives it the flags of Kafka's `VerifiableProducer`
//! or `VerifiableConsumer`, and turns the lines that it prints into the histories that kplan's own clients write.
//! `docs/clients.md` describes the protocol.

mod adapter;
mod ending;
mod errors;
mod event;
mod flags;
mod security;
mod sent;
mod starts;
mod taken;

use std::{rc::Rc, sync::mpsc::Receiver};

use self::{
    adapter::Adapter, event::Printed, sent::SentBook, starts::GroupStarts, taken::TakenBook,
};
use super::{
    ClientError,
    protocol::{ClientReport, Order, PROTOCOL_BROKEN, Position},
    spec::{VerifiableConsumerSpec, VerifiableProducerSpec},
    voice::Voice,
};
use crate::{history::HistoryError, identity::prefixes};

/// Why the lines of a program are no longer taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The program breaks the protocol.
    #[error("its program breaks the protocol: {0}")]
    Rule(String),
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl Broken {
    fn rule(text: impl Into<String>) -> Self {
        Self::Rule(text.into())
    }
}

impl From<Broken> for ClientError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Rule(_) => Self { text: broken.to_string(), code: PROTOCOL_BROKEN },
            Broken::History(e) => e.into(),
        }
    }
}

/// What keeps the lines of a program.
trait Keeper {
    fn take(&mut self, event: Printed, at_us: i64) -> Result<(), Broken>;

    /// What is due from time to time.
    fn report(&mut self, _now_us: i64, _last: bool) {}

    /// It printed its last event.
    fn ended(&self) -> bool;

    /// It did all that it had to do, and needs no order to end.
    fn finished(&self) -> bool {
        false
    }

    /// How far it is from these ends; none while that is not known.
    fn unread(&self, _ends: &[Position]) -> Option<Vec<(Position, u64)>> {
        Some(Vec::new())
    }

    /// Records what was left open; `ordered`: it ended as ordered.
    fn close(&mut self, _ordered: bool) -> Result<(), Broken> {
        Ok(())
    }

    /// Messages without an outcome.
    fn unanswered(&self) -> u64 {
        0
    }

    /// What its own sums contradict.
    fn wrong_sums(&self) -> Option<String> {
        None
    }
}

impl Keeper for SentBook {
    fn take(&mut self, event: Printed, at_us: i64) -> Result<(), Broken> {
        SentBook::take(self, event, at_us)
    }

    fn report(&mut self, now_us: i64, last: bool) {
        SentBook::report(self, now_us, last);
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn finished(&self) -> bool {
        SentBook::finished(self)
    }

    fn unanswered(&self) -> u64 {
        SentBook::unanswered(self)
    }

    fn wrong_sums(&self) -> Option<String> {
        SentBook::wrong_sums(self)
    }
}

impl Keeper for TakenBook<'_> {
    fn take(&mut self, event: Printed, at_us: i64) -> Result<(), Broken> {
        TakenBook::take(self, event, at_us)
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn unread(&self, ends: &[Position]) -> Option<Vec<(Position, u64)>> {
        TakenBook::unread(self, ends)
    }

    fn close(&mut self, ordered: bool) -> Result<(), Broken> {
        TakenBook::close(self, ordered)
    }
}

/// The body of a producer's process.
pub(super) fn produce(
    spec: &VerifiableProducerSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    let common = &spec.common;
    let prefix = prefixes::claim(&common.dir, &common.run, common.client_id, common.life)
        .map_err(|e| ClientError::new(format!("its prefix cannot be recorded: {e}")))?;
    let mut book = SentBook::create(spec, prefix, voice)?;
    let words = flags::producer(spec, prefix);
    let flag = &spec.program.flags.producer_config;
    let at = (&spec.program, &spec.place);
    let running = Adapter::start(common, at, words, (flag, &spec.settings), voice)?;
    running.follow(&mut book, orders)
}

/// The body of a consumer's process.
pub(super) fn consume(
    spec: &VerifiableConsumerSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    let starts = GroupStarts::create(spec, voice)?;
    let mut book = TakenBook::create(spec, &starts, voice)?;
    let (words, settings) = (flags::consumer(spec), flags::consumers_file(spec));
    let flag = &spec.program.flags.consumer_config;
    let at = (&spec.program, &spec.place);
    let running = Adapter::start(&spec.common, at, words, (flag, &settings), voice)?;
    running.follow(&mut book, orders)
}
