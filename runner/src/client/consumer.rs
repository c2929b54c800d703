//! The consumer process: one member of a group. It records where it starts before it fetches, and
//! each delivery before its offset is stored.

use std::{collections::BTreeMap, rc::Rc, sync::mpsc::Receiver, time::Duration};

use super::{
    ClientError,
    consumer_state::{AssignedPart, ConsumerShared, TakenMessage},
    contact,
    latency::Latencies,
    protocol::{ClientReport, Order, Position},
    raw::{ClientType, Events, GroupQueue, Instance},
    settings,
    spec::ConsumerSpec,
    voice::Voice,
};
use crate::history::{HistoryWriter, RunRecorder, Writer, now_us};

/// The longest wait for messages, so that an order is answered soon.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// The most messages of one turn, so that orders and commits get their turn.
pub(super) const AT_ONCE: usize = 2048;

/// Partitions by topic number and partition.
type Parts = BTreeMap<(u16, u32), AssignedPart>;

/// The body of a consumer process: reports what it did not read.
pub(super) fn run(
    spec: &ConsumerSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    let writer = Writer::Consumer;
    let header = spec.common.header(writer, spec.topics.clone(), Some(spec.group.clone()));
    let seen = HistoryWriter::create(&spec.common.history_path(writer), &header)?;
    let latencies = Latencies::create(&spec.common.latency_path())?;
    let recorder = RunRecorder::new(seen);
    let state = Rc::new(ConsumerShared::new(spec, Rc::clone(voice), recorder, Some(latencies))?);
    let events: Rc<dyn Events> = Rc::<ConsumerShared>::clone(&state);
    let kafka = Instance::new(
        ClientType::Consumer,
        &settings::consumer(spec),
        spec.common.routes.as_ref(),
        events,
    )?;
    let ended = |left, unread| ClientReport::Ended { at_us: now_us(), left, unread };
    if contact(&kafka, voice, orders).is_none() {
        return Ok(ended(0, Vec::new()));
    }
    kafka.subscribe(&spec.topics)?;
    let unread = {
        let queue = GroupQueue::of(&kafka)
            .ok_or_else(|| ClientError::new("a consumer needs a group".to_owned()))?;
        Loop { spec, state: &state, kafka: &kafka, queue, resets: Vec::new() }.run(orders)?
    };
    state.record_ends();
    state.commit_last(&kafka);
    if let Err(code) = kafka.close() {
        voice.error(code, false, "leaving the group");
    }
    if let Some(e) = state.broken() {
        return Err(e.into());
    }
    state.report(now_us(), true);
    let left = unread.iter().map(|(_, missing)| *missing).sum();
    Ok(ended(left, unread.into_iter().map(|(position, _)| position).collect()))
}

struct Loop<'a> {
    spec: &'a ConsumerSpec,
    state: &'a ConsumerShared,
    kafka: &'a Instance,
    queue: GroupQueue<'a>,
    /// Partitions whose position is still to be reset.
    resets: Vec<(u16, u32)>,
}

impl Loop<'_> {
    /// Consumes until ordered to stop, then until the ends are reached or the limit is; returns
    /// the partitions whose end was not reached, with the remaining distance.
    fn run(mut self, orders: &Receiver<Order>) -> Result<Vec<(Position, u64)>, ClientError> {
        let mut stop: Option<(Vec<Position>, i64)> = None;
        loop {
            if stop.is_none()
                && let Ok(Order::Stop { ends, limit_ms }) = orders.try_recv()
            {
                let limit = i64::try_from(limit_ms).unwrap_or(i64::MAX / 1000) * 1000;
                stop = Some((ends, now_us().saturating_add(limit)));
            }
            self.turn()?;
            if let Some((ends, until)) = &stop {
                let parts = self.state.assigned();
                let unread = unread(&self.spec.topics, parts.as_ref(), ends);
                let over = now_us() >= *until;
                // During a rebalance the next assignment is not known.
                if over || (parts.is_some() && unread.is_empty()) {
                    self.state.reached(ends);
                    return Ok(unread);
                }
            }
        }
    }

    /// One poll: records what came, then stores its offsets.
    fn turn(&mut self) -> Result<(), ClientError> {
        let mut now = now_us();
        let mut patience = PATIENCE;
        for _ in 0..AT_ONCE {
            let Some(message) = self.queue.next(patience) else { break };
            patience = Duration::ZERO;
            now = now_us();
            if let TakenMessage::Reset(reset) = self.state.take(&message, now)
                && !self.resets.contains(&reset)
            {
                self.resets.push(reset);
            }
        }
        let (state, kafka) = (self.state, self.kafka);
        state.reset(kafka, &mut self.resets);
        state.advance(kafka);
        state.report(now, false);
        state.goes_on(kafka)
    }
}

/// The assigned partitions (none: a rebalance is under way) whose end was not reached, and how far it
/// is. Without any assignment: all of them.
pub(super) fn unread(
    topics: &[String],
    parts: Option<&Parts>,
    ends: &[Position],
) -> Vec<(Position, u64)> {
    let assigned = |end: &Position| {
        let topic = topics.iter().position(|t| *t == end.topic)?;
        parts?.get(&(u16::try_from(topic).ok()?, end.partition))
    };
    let of_ours = ends.iter().filter(|end| topics.contains(&end.topic));
    of_ours
        .filter_map(|end| {
            let reached = match assigned(end) {
                Some(part) => part.position.max(part.eof),
                None if parts.is_none() => -1,
                None => return None,
            };
            let missing = end.offset - reached.max(0);
            (reached < end.offset)
                .then(|| (Position { offset: reached, ..end.clone() }, missing.unsigned_abs()))
        })
        .collect()
}
