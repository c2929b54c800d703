//! Outgoing messages: each is recorded before librdkafka gets it.

use std::{rc::Rc, time::Duration};

use super::{
    ClientError,
    ledger::{Ledger, history},
    message::{MessageFields, OwnTexts},
    raw::{Code, Instance, Topic},
    spec::Common,
    voice::Voice,
};
use crate::{
    history::{Mark, Message, RunRecorder, Writer, now_us},
    identity::{
        payload::{self, FLAG_TRANSACTIONAL, Identity, Original},
        text::TextId,
    },
};

/// The longest wait in librdkafka, so that an order is answered soon.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);
/// Bits of a message's opaque that hold its sequence number; the partition is above them.
pub(super) const SEQ_BITS: u32 = 44;

/// The timestamp of a message that is sent a millisecond or more after its time; without it librdkafka takes the time
/// at which it got the message. Readers see by it when the message was to be sent.
fn late_ms(fields: &MessageFields, intended_us: i64) -> Option<i64> {
    (now_us() - intended_us >= 1_000).then_some(fields.intended_wall_us.div_euclid(1_000))
}

/// A message that is to be sent.
pub(super) struct Outgoing<'m> {
    pub partition: u32,
    pub key: Option<&'m [u8]>,
    /// When it was to be sent: its latency counts from here.
    pub intended_us: i64,
    /// How many messages the client sent before it, for the plan's texts.
    pub number: u64,
    pub body: Body,
}

/// The value of a message.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// kplan's own, of so many bytes; more if its identity needs more.
    Own { bytes: usize },
    /// The same, as a copy of a message.
    Copy { bytes: usize, original: Original },
    /// What the plan writes.
    Written,
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
    texts: OwnTexts,
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
            texts: OwnTexts::default(),
            run: common.run_hash(),
        })
    }

    /// What the plan writes into messages.
    pub(super) fn texts(&self) -> &OwnTexts {
        &self.texts
    }

    /// Gives every message from now on what the plan writes.
    pub(super) fn write(&mut self, texts: OwnTexts) {
        self.texts = texts;
    }

    /// Sends a message; waits while librdkafka's queue is full. False if librdkafka refused it: no later call
    /// reports that, and a transaction is committed without the message.
    pub(super) fn send(&mut self, message: &Outgoing<'_>) -> Result<bool, ClientError> {
        let partition = message.partition;
        let seq = self.next[partition as usize];
        let intended_us = message.intended_us;
        let epoch = self.ledger.epoch.get();
        let (client, life) = (self.ledger.client, self.ledger.life);
        let stream = (client, life, partition);
        let sent = Message::of_sequence(Mark::Sent, stream, seq, intended_us);
        self.sent.record(&Message { epoch, ..sent })?;
        self.next[partition as usize] += 1;
        let flags = if epoch == 0 { 0 } else { FLAG_TRANSACTIONAL };
        let identity = Identity { run: self.run, client, life, partition, seq, intended_us, flags };
        let opaque = (partition as usize) << SEQ_BITS | seq as usize;
        let id = TextId { topic: self.texts.topic, client, life, partition, seq };
        let fields = self.texts.fields(id, self.run, message.number, intended_us);
        self.texts.fill_around(&fields);
        let mut time_ms = self.texts.timestamp_ms(&fields);
        let has_value = match &message.body {
            Body::Own { bytes } => {
                self.value.resize(*bytes, 0);
                payload::encode(&identity, &mut self.value);
                true
            }
            Body::Copy { bytes, original } => {
                self.value.resize(*bytes, 0);
                payload::encode_copy(&identity, original, &mut self.value);
                true
            }
            Body::Written => {
                self.ledger.intended.borrow_mut().insert(opaque, intended_us);
                time_ms = late_ms(&fields, intended_us);
                self.texts.fill_value(&fields, &mut self.value)
            }
        };
        loop {
            let key = message.key.or_else(|| self.texts.key());
            let with = (self.texts.headers.as_slice(), time_ms);
            let value = has_value.then_some(self.value.as_slice());
            match self.topic.produce(partition as i32, key, value, with, opaque) {
                Ok(()) => {
                    self.taken += 1;
                    return Ok(true);
                }
                Err(Code::QUEUE_FULL) => self.poll(PATIENCE)?,
                Err(code) => {
                    self.ledger.record(Mark::Failed, opaque, -1, code.0);
                    self.voice.error(code, false, "librdkafka refused the message");
                    return Ok(false);
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
