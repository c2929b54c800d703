//! What became of outgoing messages, as librdkafka reports it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use kplan_dsl::value::Acks;

use super::{
    ClientError,
    latency::Latencies,
    outbox::SEQ_BITS,
    raw::{Code, Delivery, Events},
    spec::Common,
    voice::Voice,
};
use crate::{
    history::{
        HistoryError, HistoryWriter, Mark, Message, MessageRun, RunRecorder, Writer, now_us,
    },
    identity::payload,
};

/// The outcomes of the messages, written from inside librdkafka's callbacks.
pub(super) struct Ledger {
    heard: RefCell<RunRecorder>,
    pub(super) latencies: Latencies,
    /// When the acknowledged messages of the running transaction were to be sent.
    pending: RefCell<Vec<i64>>,
    /// When messages on their way whose value the plan wrote were to be sent, by opaque.
    pub(super) intended: RefCell<HashMap<usize, i64>>,
    pub(super) voice: Rc<Voice>,
    acks: Acks,
    pub(super) client: u16,
    pub(super) life: u16,
    /// The running transaction's number, else 0.
    pub(super) epoch: Cell<u32>,
    /// Messages that librdkafka has reported.
    pub(super) reports: Cell<u64>,
    pub(super) broken: RefCell<Option<HistoryError>>,
}

impl Ledger {
    /// Creates the history of the outcomes of a client that sends to `topic`.
    pub(super) fn create(
        common: &Common,
        topic: &str,
        acks: Acks,
        voice: &Rc<Voice>,
    ) -> Result<Rc<Self>, ClientError> {
        Ok(Rc::new(Self {
            heard: RefCell::new(history(common, topic, Writer::ProducerHeard)?),
            latencies: Latencies::create(&common.latency_path())?,
            pending: RefCell::default(),
            intended: RefCell::default(),
            voice: Rc::clone(voice),
            acks,
            client: common.client_id,
            life: common.life,
            epoch: Cell::new(0),
            reports: Cell::new(0),
            broken: RefCell::new(None),
        }))
    }

    /// Records the outcome of a message at this moment; returns the moment. The clock is read
    /// here and not earlier: a time from before a wait in librdkafka would be earlier than the
    /// answer.
    pub(super) fn record(&self, mark: Mark, opaque: usize, offset: i64, error: i32) -> i64 {
        let at_us = now_us();
        let (partition, seq) = (opaque >> SEQ_BITS, opaque & ((1 << SEQ_BITS) - 1));
        let message = Message {
            mark,
            topic: 0,
            partition: partition as u32,
            client: self.client,
            life: self.life,
            source_partition: partition as u32,
            seq: seq as u64,
            offset,
            at_us,
            error,
            epoch: self.epoch.get(),
        };
        self.keep(|heard| heard.record(&message));
        at_us
    }

    /// Records the end of a transaction, with which its messages are sent or are not: a message of a
    /// transaction takes until the commit.
    pub(super) fn settle(&self, mark: Mark, epoch: u32) {
        let at_us = now_us();
        let run = MessageRun {
            mark,
            topic: 0,
            partition: 0,
            client: self.client,
            life: self.life,
            source_partition: 0,
            first_seq: 0,
            first_offset: -1,
            count: 0,
            first_us: at_us,
            last_us: at_us,
            error: 0,
            epoch,
        };
        self.keep(|heard| heard.append(&run));
        for intended in self.pending.take() {
            if mark == Mark::Committed {
                self.latencies.add(&self.voice, at_us, intended);
            }
        }
    }

    fn keep(&self, write: impl FnOnce(&mut RunRecorder) -> Result<(), HistoryError>) {
        if let Err(e) = write(&mut self.heard.borrow_mut()) {
            self.broken.borrow_mut().get_or_insert(e);
        }
    }
}

impl Events for Ledger {
    fn delivered(&self, delivery: &Delivery<'_>) {
        self.reports.set(self.reports.get() + 1);
        let intended = self.intended.borrow_mut().remove(&delivery.opaque);
        match delivery.error {
            Some(code) => drop(self.record(Mark::Failed, delivery.opaque, -1, code.0)),
            // acks=0: no broker answered, and the offset is made up.
            None if self.acks == Acks::None => {
                self.record(Mark::Written, delivery.opaque, -1, 0);
            }
            None => {
                let at_us = self.record(Mark::Acked, delivery.opaque, delivery.offset, 0);
                let intended = intended.unwrap_or_else(|| payload::intended_us(delivery.value));
                if self.epoch.get() == 0 {
                    self.latencies.add(&self.voice, at_us, intended);
                } else {
                    self.pending.borrow_mut().push(intended);
                }
            }
        }
    }

    fn error(&self, code: Code, fatal: bool, words: &str) {
        self.voice.error(code, fatal, words);
    }

    fn stats(&self, json: &[u8]) {
        self.voice.stats(json);
    }
}

/// Creates a history of a client that sends to `topic`.
pub(super) fn history(
    common: &Common,
    topic: &str,
    writer: Writer,
) -> Result<RunRecorder, HistoryError> {
    let header = common.header(writer, vec![topic.to_owned()], None);
    HistoryWriter::create(&common.history_path(writer), &header).map(RunRecorder::new)
}
