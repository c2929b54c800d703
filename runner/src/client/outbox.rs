//! Outgoing messages: each is recorded before librdkafka gets it, and its outcome when
//! librdkafka reports it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use indexmap::IndexMap;
use kplan_dsl::value::Acks;

use super::{
    ClientError,
    latency::Latencies,
    raw::{Code, Delivery, Events, Header, Instance, Topic},
    spec::Common,
    voice::Voice,
};
use crate::{
    history::{
        HistoryError, HistoryWriter, Mark, Message, MessageRun, RunRecorder, Writer, now_us,
    },
    identity::payload::{self, FLAG_TRANSACTIONAL, Identity, Original},
};

/// The longest wait in librdkafka, so that an order is answered soon.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);
/// Bits of a message's opaque that hold its sequence number; the partition is above them.
const SEQ_BITS: u32 = 44;

/// The outcomes of the messages, written from inside librdkafka's callbacks.
pub(super) struct Ledger {
    heard: RefCell<RunRecorder>,
    latencies: Latencies,
    /// When the acknowledged messages of the running transaction were to be sent.
    pending: RefCell<Vec<i64>>,
    voice: Rc<Voice>,
    acks: Acks,
    client: u16,
    life: u16,
    /// The running transaction's number, else 0.
    pub(super) epoch: Cell<u32>,
    reports: Cell<u64>,
    broken: RefCell<Option<HistoryError>>,
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
    fn record(&self, mark: Mark, opaque: usize, offset: i64, error: i32) -> i64 {
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
        match delivery.error {
            Some(code) => drop(self.record(Mark::Failed, delivery.opaque, -1, code.0)),
            // acks=0: no broker answered, and the offset is made up.
            None if self.acks == Acks::None => {
                self.record(Mark::Written, delivery.opaque, -1, 0);
            }
            None => {
                let at_us = self.record(Mark::Acked, delivery.opaque, delivery.offset, 0);
                let intended = payload::intended_us(delivery.value);
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

fn history(common: &Common, topic: &str, writer: Writer) -> Result<RunRecorder, HistoryError> {
    let header = common.header(writer, vec![topic.to_owned()], None);
    HistoryWriter::create(&common.history_path(writer), &header).map(RunRecorder::new)
}

/// A message that is to be sent.
pub(super) struct Outgoing<'m> {
    pub partition: u32,
    pub key: Option<&'m [u8]>,
    /// When it was to be sent: its latency counts from here.
    pub intended_us: i64,
    /// Bytes of its value; more if its identity needs more.
    pub bytes: usize,
    /// What it is a copy of.
    pub original: Option<Original>,
}

/// Where a client's messages leave it.
pub(super) struct Outbox<'a> {
    pub(super) kafka: &'a Instance,
    topic: Topic<'a>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) voice: Rc<Voice>,
    sent: RunRecorder,
    /// The next sequence number of each partition.
    next: Vec<u64>,
    /// Messages that librdkafka took.
    taken: u64,
    value: Vec<u8>,
    headers: Vec<Header>,
    run: u64,
}

impl<'a> Outbox<'a> {
    /// `ledger` gets the outcomes from `kafka`; see [`Ledger::create`].
    pub(super) fn create(
        common: &Common,
        topic: &str,
        partitions: u32,
        kafka: &'a Instance,
        ledger: Rc<Ledger>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            kafka,
            topic: kafka.topic(topic)?,
            voice: Rc::clone(&ledger.voice),
            ledger,
            sent: history(common, topic, Writer::ProducerSent)?,
            next: vec![0; partitions as usize],
            taken: 0,
            value: Vec::new(),
            headers: Vec::new(),
            run: common.run_hash(),
        })
    }

    /// Gives every message from now on these headers.
    pub(super) fn headers(&mut self, all: &IndexMap<String, String>) -> Result<(), ClientError> {
        let headers: Result<_, _> = all.iter().map(|(k, v)| Header::new(k, v)).collect();
        self.headers = headers?;
        Ok(())
    }

    /// Sends a message; waits while librdkafka's queue is full.
    pub(super) fn send(&mut self, message: &Outgoing<'_>) -> Result<(), ClientError> {
        let partition = message.partition;
        let seq = self.next[partition as usize];
        let intended_us = message.intended_us;
        let epoch = self.ledger.epoch.get();
        let (client, life) = (self.ledger.client, self.ledger.life);
        self.sent.record(&Message {
            mark: Mark::Sent,
            topic: 0,
            partition,
            client,
            life,
            source_partition: partition,
            seq,
            offset: -1,
            at_us: intended_us,
            error: 0,
            epoch,
        })?;
        self.next[partition as usize] += 1;
        let flags = if epoch == 0 { 0 } else { FLAG_TRANSACTIONAL };
        let identity = Identity { run: self.run, client, life, partition, seq, intended_us, flags };
        self.value.resize(message.bytes, 0);
        match &message.original {
            Some(original) => payload::encode_copy(&identity, original, &mut self.value),
            None => payload::encode(&identity, &mut self.value),
        }
        let opaque = (partition as usize) << SEQ_BITS | seq as usize;
        loop {
            let (value, headers) = (&self.value, self.headers.as_slice());
            match self.topic.produce(partition as i32, message.key, value, headers, opaque) {
                Ok(()) => {
                    self.taken += 1;
                    return Ok(());
                }
                Err(Code::QUEUE_FULL) => self.poll(PATIENCE)?,
                Err(code) => {
                    self.ledger.record(Mark::Failed, opaque, -1, code.0);
                    self.voice.error(code, false, "librdkafka refused the message");
                    return Ok(());
                }
            }
        }
    }

    /// Calls librdkafka's due callbacks.
    pub(super) fn poll(&self, limit: Duration) -> Result<(), ClientError> {
        self.kafka.poll(limit);
        self.after_poll()
    }

    /// What is due after librdkafka called back.
    pub(super) fn after_poll(&self) -> Result<(), ClientError> {
        self.ledger.latencies.report(&self.voice, now_us(), false);
        match self.ledger.broken.borrow_mut().take() {
            Some(e) => Err(e.into()),
            None => Ok(()),
        }
    }

    /// Messages without a report. librdkafka's own count has its statistics and errors in it too.
    pub(super) fn unanswered(&self) -> u64 {
        self.taken - self.ledger.reports.get()
    }

    /// Waits until every message has its report.
    pub(super) fn flush(&self, limit: Duration) -> Result<(), ClientError> {
        let end = now_us() + limit.as_micros() as i64;
        while self.unanswered() > 0 && now_us() < end {
            self.poll(PATIENCE)?;
        }
        self.ledger.latencies.report(&self.voice, now_us(), true);
        Ok(())
    }
}
