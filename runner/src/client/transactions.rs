//! Transactions of a producer: a number of messages, then a commit or, chosen by the seed, an abort.

use std::{sync::mpsc::Receiver, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    ClientError,
    outbox::PATIENCE,
    producer::{Producer, stop_limit},
    protocol::Order,
    raw::TxnError,
    spec::TransactionSpec,
    voice::Voice,
};
use crate::history::{Mark, now_us};

/// How long one call of librdkafka may block, so that an order is answered soon.
pub(super) const CALL: Duration = Duration::from_millis(500);

/// The transactions of one life.
pub(super) struct Transactions {
    settings: TransactionSpec,
    random: SmallRng,
    /// Time by which everything must end, once a stop was ordered.
    until: Option<i64>,
}

/// Whether a step of a transaction may be tried again.
pub(super) enum Next {
    Again,
    Abort,
}

impl Transactions {
    pub(super) fn new(settings: TransactionSpec, seed: u64) -> Self {
        Self { settings, random: SmallRng::seed_from_u64(seed), until: None }
    }

    /// Sends transactions until ordered to stop, then ends the open one; returns how much time is left.
    pub(super) fn produce(
        mut self,
        producer: &mut Producer<'_>,
        orders: &Receiver<Order>,
    ) -> Result<Duration, ClientError> {
        while self.goes_on(orders) {
            match producer.outbox.kafka.init_transactions(CALL) {
                Ok(()) => break,
                Err(e) => {
                    weigh(&producer.outbox.voice, e)?;
                }
            }
            producer.outbox.poll(Duration::ZERO)?;
        }
        let mut epoch = 0;
        while self.goes_on(orders) {
            if producer.due(now_us()) == 0 {
                // No transaction is kept open while nothing is to be sent in it.
                producer.outbox.poll(producer.pause())?;
                producer.tell_finished();
                continue;
            }
            epoch += 1;
            producer
                .outbox
                .kafka
                .begin_transaction()
                .map_err(|e| ClientError::new(e.to_string()))?;
            producer.outbox.ledger.epoch.set(epoch);
            self.fill(producer, orders)?;
            let abort =
                self.random.random_bool((self.settings.abort_percent / 100.0).clamp(0., 1.));
            if abort {
                // What is taken back is written first: the abort alone would empty librdkafka's queue. And
                // one that overtakes the transaction's beginning is refused for good (INVALID_TXN_STATE),
                // so this is done after an order to stop as well.
                while producer.outbox.unanswered() > 0 && self.has_time(orders) {
                    producer.outbox.poll(PATIENCE)?;
                }
            }
            let mark = self.end(producer, orders, abort)?;
            producer.outbox.ledger.settle(mark, epoch);
            producer.outbox.ledger.epoch.set(0);
            if mark == Mark::Unsettled {
                break;
            }
        }
        let left = self.until.map_or(0, |until| (until - now_us()).max(0));
        Ok(Duration::from_micros(left.unsigned_abs()))
    }

    /// Sends the messages of one transaction; the last one has those that are left.
    fn fill(
        &mut self,
        producer: &mut Producer<'_>,
        orders: &Receiver<Order>,
    ) -> Result<(), ClientError> {
        let mut left = u64::from(self.settings.messages.max(1));
        while left > 0 && !producer.sent_all() && self.goes_on(orders) {
            let due = producer.due(now_us()).min(left).min(256);
            for _ in 0..due {
                producer.send()?;
            }
            left -= due;
            producer.outbox.poll(if left == 0 { Duration::ZERO } else { producer.pause() })?;
        }
        Ok(())
    }

    /// Commits or aborts, as long as it takes or until the stop's limit.
    fn end(
        &mut self,
        producer: &Producer<'_>,
        orders: &Receiver<Order>,
        mut abort: bool,
    ) -> Result<Mark, ClientError> {
        loop {
            let ended = if abort {
                producer.outbox.kafka.abort_transaction(CALL)
            } else {
                producer.outbox.kafka.commit_transaction(CALL)
            };
            producer.outbox.after_poll()?;
            let Err(e) = ended else {
                return Ok(if abort { Mark::Aborted } else { Mark::Committed });
            };
            let epoch = producer.outbox.ledger.epoch.get();
            match weigh(&producer.outbox.voice, e) {
                Ok(Next::Again) => {}
                Ok(Next::Abort) => abort = true,
                Err(fatal) => {
                    producer.outbox.ledger.settle(Mark::Unsettled, epoch);
                    return Err(fatal);
                }
            }
            if !self.has_time(orders) {
                return Ok(Mark::Unsettled);
            }
        }
    }

    /// The stop's limit has not passed.
    fn has_time(&mut self, orders: &Receiver<Order>) -> bool {
        self.goes_on(orders) || self.until.is_some_and(|until| now_us() <= until)
    }

    /// No order to stop came.
    fn goes_on(&mut self, orders: &Receiver<Order>) -> bool {
        if self.until.is_none() {
            self.until = stop_limit(orders).map(|limit| now_us() + limit.as_micros() as i64);
        }
        self.until.is_none()
    }
}

/// What an error of a transaction's step leads to.
pub(super) fn weigh(voice: &Voice, error: TxnError) -> Result<Next, ClientError> {
    voice.error(error.code, error.fatal, &error.words);
    if error.fatal {
        return Err(ClientError::new(error.to_string()));
    }
    Ok(if error.must_abort { Next::Abort } else { Next::Again })
}
