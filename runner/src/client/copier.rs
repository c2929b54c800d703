//! The copier process: consumes, sends a copy of each message, and commits its group's positions in the
//! transactions that hold the copies.
//!
//! The consumer's rebalances are answered here, not inside librdkafka's callback: what was copied of a
//! partition is committed before the partition is revoked. Until then it is still assigned, with its
//! messages.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::mpsc::Receiver,
    time::Duration,
};

use super::{
    ClientError,
    consumer::{AT_ONCE, PATIENCE, unread},
    consumer_state::{ConsumerShared, TakenMessage},
    contact,
    ledger::Ledger,
    log,
    outbox::{Body, Outbox, Outgoing},
    protocol::{ClientReport, Order, Position},
    raw::{
        ClientType, Code, Events, GroupQueue, Instance, Kafka, Message, Rebalance, TopicPosition,
    },
    settings,
    spec::CopierSpec,
    transactions::{CALL, Next, weigh},
    voice::Voice,
};
use crate::{
    history::{HistoryWriter, Mark, RunRecorder, Writer, now_us},
    identity::{
        RunIds,
        payload::{self, Decoded, Original},
    },
};

/// How long adding positions to a transaction may block: unlike a commit it starts from the beginning when it is
/// retried, so that it needs enough time on a slow cluster.
const ADDING: Duration = Duration::from_secs(5);
/// A transaction is committed when it is this old, as Kafka Streams does.
const OLDEST_US: i64 = 100_000;

/// The consumer's events. Its statistics are left out: `connected` is judged from the producer's.
struct Intake {
    state: Rc<ConsumerShared>,
    rebalances: RefCell<VecDeque<(Rebalance, Vec<TopicPosition>)>>,
    /// No transaction is open, and rebalances are no longer handled.
    leaving: Cell<bool>,
}

impl Events for Intake {
    fn error(&self, code: Code, fatal: bool, words: &str) {
        self.state.error(code, fatal, words);
    }

    fn stats(&self, _: &[u8]) {}

    fn rebalance(&self, kafka: &Kafka<'_>, what: Rebalance, partitions: Vec<TopicPosition>) {
        if self.leaving.get() {
            return self.state.rebalance(kafka, what, partitions);
        }
        self.rebalances.borrow_mut().push_back((what, partitions));
    }
}

/// The body of a copier process: reports what it did not copy.
pub(super) fn run(
    spec: &CopierSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    if spec.partitions == 0 {
        return Err(ClientError::new("the output topic has no partition".to_owned()));
    }
    let (reading, writing) = (spec.consumer(), spec.producer());
    let ledger = Ledger::create(&spec.common, &spec.to, writing.acks, voice)?;
    let events: Rc<dyn Events> = Rc::<Ledger>::clone(&ledger);
    let producer = Instance::new(
        ClientType::Producer,
        &settings::producer(&writing),
        spec.common.routes.as_ref(),
        events,
    )?;
    let outbox = Outbox::create(&spec.common, &spec.to, spec.partitions, &producer, ledger)?;
    let header =
        spec.common.header(Writer::Consumer, vec![spec.from.clone()], Some(spec.group.clone()));
    let seen = HistoryWriter::create(&spec.common.history_path(Writer::Consumer), &header)?;
    let state =
        Rc::new(ConsumerShared::new(&reading, Rc::clone(voice), RunRecorder::new(seen), None)?);
    let intake = Rc::new(Intake {
        state: Rc::clone(&state),
        rebalances: RefCell::default(),
        leaving: Cell::new(false),
    });
    let ended = |left, unread| Ok(ClientReport::Ended { at_us: now_us(), left, unread });
    if contact(&producer, voice, orders).is_none() {
        return ended(0, Vec::new());
    }
    let events: Rc<dyn Events> = Rc::<Intake>::clone(&intake);
    let kafka = Instance::new(
        ClientType::Consumer,
        &settings::consumer(&reading),
        spec.common.routes.as_ref(),
        events,
    )?;
    let queue =
        GroupQueue::of(&kafka).ok_or_else(|| ClientError::new("a copier needs a group".into()))?;
    let desk = Desk::new(spec, &state, &kafka, outbox);
    let mut copier = Copier { desk, queue, intake: &intake, resets: Vec::new(), orders };
    // Ends what an earlier life left open, before its positions are asked for.
    if !copier.desk.init(orders)? {
        return ended(0, Vec::new());
    }
    kafka.subscribe(std::slice::from_ref(&spec.from))?;
    let missing = copier.run()?;
    drop(copier);
    state.record_ends();
    intake.leaving.set(true);
    if let Err(code) = kafka.close() {
        voice.error(code, false, "leaving the group");
    }
    if let Some(e) = state.broken() {
        return Err(e.into());
    }
    let left = missing.iter().map(|(_, count)| *count).sum();
    ended(left, missing.into_iter().map(|(position, _)| position).collect())
}

/// What is copied, and how its transactions end.
struct Desk<'a> {
    spec: &'a CopierSpec,
    run: RunIds,
    state: &'a ConsumerShared,
    kafka: &'a Instance,
    outbox: Outbox<'a>,
    open: Option<Open>,
    /// The newest transaction's number.
    number: u32,
    stop: Option<(Vec<Position>, i64)>,
}

/// The open transaction.
struct Open {
    begun_us: i64,
    /// How many copies were sent in it.
    messages: u32,
    /// One of them was refused by librdkafka.
    refused: bool,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With all that was copied in it; or there was none.
    Committed,
    /// With nothing of it: what was read for it must be read again.
    Aborted,
    /// Unknown, and there is no time left to find out.
    Unsettled,
}

impl<'a> Desk<'a> {
    fn new(
        spec: &'a CopierSpec,
        state: &'a ConsumerShared,
        kafka: &'a Instance,
        outbox: Outbox<'a>,
    ) -> Self {
        let run = spec.common.run_ids();
        Self { spec, run, state, kafka, outbox, open: None, number: 0, stop: None }
    }

    /// Makes every earlier life of this copier unable to commit; false if ordered to stop before.
    fn init(&mut self, orders: &Receiver<Order>) -> Result<bool, ClientError> {
        loop {
            self.hear(orders);
            if self.stop.is_some() {
                return Ok(false);
            }
            match self.outbox.kafka.init_transactions(CALL) {
                Ok(()) => return Ok(true),
                Err(e) => {
                    weigh(&self.outbox.voice, e)?;
                }
            }
            self.outbox.poll(Duration::ZERO)?;
        }
    }

    /// Takes in an order to stop.
    fn hear(&mut self, orders: &Receiver<Order>) {
        if self.stop.is_none()
            && let Ok(Order::Stop { ends, limit_ms }) = orders.try_recv()
        {
            let limit = i64::try_from(limit_ms).unwrap_or(i64::MAX / 1000) * 1000;
            self.stop = Some((ends, now_us().saturating_add(limit)));
        }
    }

    fn over(&self) -> bool {
        self.stop.as_ref().is_some_and(|(_, until)| now_us() >= *until)
    }

    /// Sends a message's copy in the open transaction, or begins one.
    fn copy(&mut self, message: &Message<'_>) -> Result<(), ClientError> {
        if self.open.is_none() {
            let begun = self.outbox.kafka.begin_transaction();
            begun.map_err(|e| ClientError::new(e.to_string()))?;
            self.number += 1;
            self.outbox.ledger.epoch.set(self.number);
            self.open = Some(Open { begun_us: now_us(), messages: 0, refused: false });
        }
        let partition = u32::try_from(message.partition()).unwrap_or(0);
        let copy = Outgoing {
            partition: partition % self.spec.partitions,
            key: message.key(),
            intended_us: now_us(),
            number: 0,
            body: Body::Copy {
                bytes: message.value().map_or(0, <[u8]>::len),
                original: original(message, partition, &self.run),
            },
        };
        let taken = self.outbox.send(&copy)?;
        if let Some(open) = &mut self.open {
            open.messages += 1;
            open.refused |= !taken;
        }
        Ok(())
    }

    fn full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.messages >= self.spec.messages)
    }

    fn due(&self) -> bool {
        self.open.as_ref().is_some_and(|open| now_us() - open.begun_us >= OLDEST_US)
    }

    /// Ends the open transaction, as long as it takes or until the stop's limit.
    fn end(&mut self, orders: &Receiver<Order>, mut abort: bool) -> Result<End, ClientError> {
        let Some(open) = self.open.take() else { return Ok(End::Committed) };
        // A commit would commit the position of a message that has no copy.
        abort |= open.refused;
        // An abort that overtakes the transaction's beginning is refused for good (INVALID_TXN_STATE).
        while abort && self.outbox.unanswered() > 0 && !self.over() {
            self.outbox.poll(PATIENCE)?;
            self.hear(orders);
        }
        let positions = self.state.fresh_positions();
        let mut added = false;
        let ended = loop {
            let kafka = self.outbox.kafka;
            let step = match (abort, added) {
                (true, _) => kafka.abort_transaction(CALL),
                (false, false) => kafka.send_offsets(self.kafka, &positions, ADDING),
                (false, true) => kafka.commit_transaction(CALL),
            };
            self.outbox.poll(Duration::ZERO)?;
            match step {
                Ok(()) if abort => break End::Aborted,
                Ok(()) if added => break End::Committed,
                Ok(()) => added = true,
                Err(e) => match weigh(&self.outbox.voice, e) {
                    Ok(Next::Again) => {}
                    Ok(Next::Abort) => abort = true,
                    Err(fatal) => {
                        self.outbox.ledger.settle(Mark::Unsettled, self.number);
                        return Err(fatal);
                    }
                },
            }
            self.hear(orders);
            if self.over() {
                break End::Unsettled;
            }
        };
        let mark = match ended {
            End::Committed => Mark::Committed,
            End::Aborted => Mark::Aborted,
            End::Unsettled => Mark::Unsettled,
        };
        self.outbox.ledger.settle(mark, self.number);
        self.outbox.ledger.epoch.set(0);
        match ended {
            End::Committed => self.state.committed(None, positions),
            _ => log(&format!("transaction {}: {ended:?}", self.number)),
        }
        Ok(ended)
    }
}

/// The reference of a copy to its original. A message without a readable identity is referenced by its bytes.
fn original(message: &Message<'_>, partition: u32, run: &RunIds) -> Original {
    match message.parts().decode(run) {
        Decoded::Identity(i) => {
            Original { client: i.client, life: i.life, partition: i.partition, seq: i.seq }
        }
        Decoded::Text(i) => {
            Original { client: i.client, life: i.life, partition: i.partition, seq: i.seq }
        }
        Decoded::Numbered(i) => Original { client: i.client, life: i.life, partition, seq: i.seq },
        Decoded::Foreign | Decoded::Corrupt => {
            let seq = payload::foreign_hash(message.key(), message.value());
            Original { client: 0, life: 0, partition, seq }
        }
    }
}

struct Copier<'a> {
    desk: Desk<'a>,
    queue: GroupQueue<'a>,
    intake: &'a Intake,
    /// Partitions whose position is still to be reset.
    resets: Vec<(u16, u32)>,
    orders: &'a Receiver<Order>,
}

impl Copier<'_> {
    /// Copies until ordered to stop, then until the ends are reached or the limit is; returns the
    /// partitions whose end was not reached, with the remaining distance.
    fn run(&mut self) -> Result<Vec<(Position, u64)>, ClientError> {
        loop {
            self.desk.hear(self.orders);
            if self.turn()? == End::Unsettled {
                return Err(ClientError::new("a transaction was open when the time was up".into()));
            }
            let desk = &self.desk;
            let Some((ends, _)) = &desk.stop else { continue };
            let parts = desk.state.assigned();
            let missing = unread(std::slice::from_ref(&desk.spec.from), parts.as_ref(), ends);
            let done = parts.is_some() && missing.is_empty() && desk.open.is_none();
            if done || desk.over() {
                desk.outbox.flush(CALL)?;
                desk.state.reached(ends);
                return Ok(missing);
            }
        }
    }

    /// One poll: copies what came, ends the transaction if it is time, and answers a rebalance.
    fn turn(&mut self) -> Result<End, ClientError> {
        let mut end = End::Committed;
        let mut patience = PATIENCE;
        for _ in 0..AT_ONCE {
            let Some(message) = self.queue.next(patience) else { break };
            patience = Duration::ZERO;
            match self.desk.state.take(&message, now_us()) {
                TakenMessage::Delivered => self.desk.copy(&message)?,
                TakenMessage::Reset(at) if !self.resets.contains(&at) => self.resets.push(at),
                TakenMessage::Reset(_) | TakenMessage::Nothing => {}
            }
            if self.desk.full() {
                end = self.desk.end(self.orders, false)?;
                if end != End::Committed {
                    break;
                }
            }
        }
        self.desk.outbox.poll(Duration::ZERO)?;
        let rebalances = self.intake.rebalances.take();
        let asked = !rebalances.is_empty() || !self.resets.is_empty();
        if end == End::Committed && (asked || self.desk.due()) {
            let lost = self.desk.kafka.assignment_lost();
            end = self.desk.end(self.orders, lost)?;
        }
        for (what, partitions) in rebalances {
            self.desk.state.rebalance(self.desk.kafka, what, partitions);
        }
        if end == End::Aborted {
            self.desk.state.rewind(self.desk.kafka)?;
        }
        self.desk.state.reset(self.desk.kafka, &mut self.resets);
        self.desk.state.goes_on(self.desk.kafka).map(|()| end)
    }
}
