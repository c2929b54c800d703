//! The producer process: hands messages to librdkafka when they are due, and records the outcome
//! of each.

use std::{rc::Rc, sync::mpsc::Receiver, time::Duration};

use super::{
    ClientError, contact,
    ledger::Ledger,
    message::{OwnTexts, key_decides},
    outbox::{Body, Outbox, Outgoing, PATIENCE},
    protocol::{ClientReport, Order},
    raw::{ClientType, Events, Instance},
    settings,
    spec::ProducerSpec,
    transactions::Transactions,
    usable,
    voice::Voice,
};
use crate::{
    history::now_us,
    identity::{
        keys::{KeyPlan, key_name, partition_of},
        payload,
        text::TextId,
    },
};

/// Messages handed over between two polls.
const BURST: u64 = 256;

pub(super) struct Producer<'a> {
    spec: &'a ProducerSpec,
    pub(super) outbox: Outbox<'a>,
    keys: KeyPlan,
    /// The key of the newest message.
    key: Vec<u8>,
    /// Whether the plan's key decides the partition.
    key_decides: bool,
    /// Messages handed over, or refused by librdkafka for good.
    total: u64,
    /// It was reported that all is done.
    finished: bool,
    started_us: i64,
}

/// The body of a producer process: reports what is left.
pub(super) fn run(
    spec: &ProducerSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    if spec.partitions == 0 || (spec.payload_bytes as usize) < payload::MIN_PAYLOAD {
        let least = payload::MIN_PAYLOAD;
        return Err(ClientError::new(format!(
            "at least one partition and {least} B of payload are needed"
        )));
    }
    let ledger = Ledger::create(&spec.common, &spec.topic, spec.acks, voice)?;
    let events: Rc<dyn Events> = Rc::<Ledger>::clone(&ledger);
    let kafka = Instance::new(
        ClientType::Producer,
        &settings::producer(spec),
        spec.common.routes.as_ref(),
        events,
    )?;
    let mut outbox = Outbox::create(&spec.common, &spec.topic, spec.partitions, &kafka, ledger)?;
    outbox.write(OwnTexts::of(spec)?);
    let keys = KeyPlan::new(spec.partitions, spec.keys).in_blocks(block(spec), spec.count);
    let key_decides = key_decides(spec);
    let key = Vec::new();
    let mut producer =
        Producer { spec, outbox, keys, key, key_decides, total: 0, finished: false, started_us: 0 };
    let Some(_) = contact(&kafka, voice, orders) else {
        return Ok(ClientReport::Ended { at_us: now_us(), left: 0, unread: Vec::new() });
    };
    producer.started_us = now_us();
    // Every life has its own choices.
    let seed = spec.seed.wrapping_add(u64::from(spec.common.life));
    let limit = match spec.transactional {
        None => producer.plain(orders)?,
        Some(settings) => Transactions::new(settings, seed).produce(&mut producer, orders)?,
    };
    producer.outbox.flush(limit)?;
    Ok(ClientReport::Ended {
        at_us: now_us(),
        left: producer.outbox.unanswered(),
        unread: Vec::new(),
    })
}

/// How long the end may take, from an order to stop.
pub(super) fn stop_limit(orders: &Receiver<Order>) -> Option<Duration> {
    let Order::Stop { limit_ms, .. } = orders.try_recv().ok()? else { return None };
    Some(Duration::from_millis(limit_ms))
}

impl Producer<'_> {
    /// Sends until ordered to stop; returns how long the end may take.
    fn plain(&mut self, orders: &Receiver<Order>) -> Result<Duration, ClientError> {
        loop {
            if let Some(limit) = stop_limit(orders) {
                return Ok(limit);
            }
            let due = self.due(now_us()).min(BURST);
            for _ in 0..due {
                self.send()?;
            }
            self.outbox.poll(self.pause())?;
            usable(self.outbox.kafka, &self.outbox.voice)?;
            self.tell_finished();
        }
    }

    /// Whether nothing is left to be sent.
    pub(super) fn sent_all(&self) -> bool {
        self.spec.count.is_some_and(|count| self.total >= count)
    }

    /// Reports once that all was sent and answered. In an open transaction nothing is final.
    pub(super) fn tell_finished(&mut self) {
        if self.sent_all() && !self.finished && self.outbox.unanswered() == 0 {
            self.finished = true;
            self.outbox.voice.say(ClientReport::Finished { at_us: now_us() });
        }
    }

    /// Messages whose time has come and that were not yet sent.
    pub(super) fn due(&self, now: i64) -> u64 {
        let end = self.spec.count.unwrap_or(u64::MAX);
        let due = match self.spec.rate {
            None => u64::MAX,
            Some(rate) => {
                let elapsed = (now - self.started_us).max(0) as f64;
                (elapsed * rate / 1e6) as u64 + 1
            }
        };
        due.min(end).saturating_sub(self.total)
    }

    /// The time until the next message is due.
    pub(super) fn pause(&self) -> Duration {
        let now = now_us();
        if self.due(now) > 0 {
            return Duration::ZERO;
        }
        if self.sent_all() {
            return PATIENCE;
        }
        // Rounded up: librdkafka counts milliseconds, and waiting for none would spin.
        let wait_us = (self.intended(now) - now).max(1).unsigned_abs();
        Duration::from_millis(wait_us.div_ceil(1000)).min(PATIENCE)
    }

    /// When the next message is due: late ones keep their time (open loop).
    fn intended(&self, now: i64) -> i64 {
        match self.spec.rate {
            None => now,
            Some(rate) => self.started_us.saturating_add((self.total as f64 * 1e6 / rate) as i64),
        }
    }

    /// The partition of the next message, and whether its key is known: it is in `key` then.
    fn place(&mut self, intended_us: i64) -> (u32, bool) {
        if let Some(text) = self.spec.key.as_ref().filter(|_| self.key_decides) {
            let (client, life) = (self.spec.common.client_id, self.spec.common.life);
            let id = TextId { topic: 0, client, life, partition: 0, seq: 0 };
            let fields = self.outbox.texts().fields(id, 0, self.total, intended_us);
            OwnTexts::fill_key(text, &fields, &mut self.key);
            return (partition_of(&self.key, self.spec.partitions), true);
        }
        let (partition, key) = self.keys.nth(self.total);
        if let Some(key) = key {
            self.key.clear();
            self.key.extend_from_slice(key_name(key).as_bytes());
        }
        (partition, key.is_some())
    }

    /// Sends the next message; waits while librdkafka's queue is full.
    pub(super) fn send(&mut self) -> Result<(), ClientError> {
        let intended_us = self.intended(now_us());
        let (partition, has_key) = self.place(intended_us);
        let body = match &self.spec.value {
            None => Body::Own { bytes: bytes(self.spec, self.total) },
            Some(_) => Body::Written,
        };
        let key = has_key.then_some(self.key.as_slice());
        let number = self.total;
        // What librdkafka refuses is recorded as failed.
        let _ = self.outbox.send(&Outgoing { partition, key, intended_us, number, body })?;
        self.total += 1;
        Ok(())
    }
}

/// Messages that go to one partition before the next has its turn. As fast as possible it is many:
/// librdkafka then fills its batches, and the brokers have fewer to store and to copy (1.3 times as many
/// messages a second by `ci/bench/run produce`).
fn block(spec: &ProducerSpec) -> u64 {
    if spec.rate.is_some() || spec.transactional.is_some() {
        return 1;
    }
    let partitions = u64::from(spec.partitions.max(1));
    // Each partition has several turns, and a turn of all fits into librdkafka's queue (100,000).
    let several = spec.count.map_or(u64::MAX, |count| count / partitions / 10);
    several.min(100_000 / partitions).clamp(1, 8_192)
}

/// How long the value of message number `i` is: spread evenly, the same in every run.
fn bytes(spec: &ProducerSpec, i: u64) -> usize {
    let least = spec.payload_bytes;
    let more = u64::from(spec.payload_most.unwrap_or(least).saturating_sub(least)) + 1;
    // Steps of the golden ratio fill a range evenly.
    let spread = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    least as usize + ((u128::from(spread) * u128::from(more)) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::{block, bytes};
    use crate::client::spec::{CopierSpec, ProducerSpec};

    fn spec() -> ProducerSpec {
        let copier: CopierSpec = serde_json::from_value(serde_json::json!({
            "common": { "run": "r", "name": "P", "client_id": 1, "member": 1, "life": 1,
                "bootstrap": "", "dir": "", "config": {} },
            "from": "a", "to": "b", "partitions": 1, "group": "g", "messages": 1,
            "isolation": "read_committed",
        }))
        .expect("a copier");
        ProducerSpec { transactional: None, rate: None, ..copier.producer() }
    }

    #[test]
    fn only_who_sends_as_fast_as_possible_sends_in_blocks() {
        let of = |partitions, count| block(&ProducerSpec { partitions, count, ..spec() });
        assert_eq!((of(3, None), of(3, Some(3_000)), of(3, Some(5))), (8_192, 100, 1));
        assert_eq!((of(1_000, None), of(1_000_000, None), of(0, None)), (100, 1, 8_192));
        assert_eq!(block(&ProducerSpec { rate: Some(10.0), ..spec() }), 1);
    }

    #[test]
    fn sizes_are_spread_between_the_least_and_the_most() {
        let sized =
            |least, most| ProducerSpec { payload_bytes: least, payload_most: most, ..spec() };
        assert!((0..100).all(|i| bytes(&sized(100, None), i) == 100));
        assert!((0..100).all(|i| bytes(&sized(100, Some(100)), i) == 100));
        let mut counts = [0; 10];
        (0..1_000).for_each(|i| counts[(bytes(&sized(100, Some(199)), i) - 100) / 10] += 1);
        assert!(counts.iter().all(|n| (90..=110).contains(n)), "{counts:?}");
    }
}
