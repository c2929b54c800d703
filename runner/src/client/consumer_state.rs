//! The state of a consumer's partitions, and its handling of rebalances. It is used from inside
//! librdkafka's callbacks and from the poll loop, always on one thread.

mod firsts;
mod membership;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    ClientError,
    latency::Latencies,
    log,
    protocol::Position,
    raw::{Asked, Code, Events, Kafka, Message, Rebalance, TopicPosition},
    spec::ConsumerSpec,
    usable,
    voice::Voice,
};
use firsts::Firsts;
use kplan_dsl::value::CommitMode;

use crate::{
    history::{self, HistoryError, Mark, RunClock, RunRecorder, now_us},
    identity::{
        RunIds,
        payload::{self, Decoded},
    },
};

/// Ends of partitions are recorded at most this often, in microseconds.
const EOF_EVERY_US: i64 = 100_000;

/// An assigned partition.
#[derive(Clone, Debug)]
pub(super) struct AssignedPart {
    /// The next offset to be delivered; −1 before the first, if no start was found.
    pub(super) position: i64,
    /// The position stored for the next commit.
    pub(super) stored: i64,
    /// The position that is known to be committed.
    committed: i64,
    /// The position at the last end of partition.
    pub(super) eof: i64,
    eof_recorded: (i64, i64),
    /// Where the position was reset to, until something comes from there.
    reset_to: Option<i64>,
    /// Nothing was delivered since others were assigned or revoked beside it.
    resumed: bool,
}

/// What a polled item was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenMessage {
    /// A message, recorded as delivered.
    Delivered,
    /// The log does not hold the partition's position: it must be reset.
    Reset((u16, u32)),
    /// Anything else, or a message of a partition that is no longer assigned.
    Nothing,
}

/// The consumer's state; see the module.
pub(super) struct ConsumerShared {
    spec: ConsumerSpec,
    run: RunIds,
    voice: Rc<Voice>,
    /// Latencies of what was delivered; a copier measures its copies.
    latencies: Option<Latencies>,
    /// How far each of its topics was delivered to its group.
    firsts: Vec<Firsts>,
    clock: RunClock,
    inner: RefCell<Inner>,
}

struct Inner {
    seen: RunRecorder,
    parts: BTreeMap<(u16, u32), AssignedPart>,
    /// The group's generation of the last assignment.
    generation: u32,
    /// True between an assignment and its revocation.
    assigned: bool,
    /// Numbers of topics by librdkafka's key for them.
    topic_keys: Vec<(usize, u16)>,
    broken: Option<HistoryError>,
}

impl Inner {
    fn keep(&mut self, message: &history::Message) {
        if let Err(e) = self.seen.record(message) {
            self.broken.get_or_insert(e);
        }
    }

    /// Appends a mark about a partition that stands for itself.
    fn mark(&mut self, mark: Mark, (topic, partition): (u16, u32), offset: i64, at_us: i64) {
        let mut run = history::Message::at_offset(mark, (topic, partition), offset, at_us).run();
        run.count = 0;
        run.epoch = self.generation;
        if let Err(e) = self.seen.append(&run) {
            self.broken.get_or_insert(e);
        }
    }
}

/// What a value is, for the history: its mark, and its identity where it has one. `number` is the topic's: an identity
/// as text is the message's own if it names this topic.
pub(super) fn identify(
    decoded: Decoded,
    value: Option<&[u8]>,
    key: Option<&[u8]>,
    (known, number): (Mark, u16),
    at: (u16, u32, i64),
    at_us: i64,
) -> history::Message {
    let (topic, partition, offset) = at;
    match decoded {
        Decoded::Identity(identity) => history::Message {
            client: identity.client,
            life: identity.life,
            source_partition: identity.partition,
            seq: identity.seq,
            ..history::Message::at_offset(known, (topic, partition), offset, at_us)
        },
        Decoded::Text(id) if id.topic == number => history::Message {
            client: id.client,
            life: id.life,
            source_partition: id.partition,
            seq: id.seq,
            ..history::Message::at_offset(known, (topic, partition), offset, at_us)
        },
        // Its client chose the partition that it lies in.
        Decoded::Numbered(own) => history::Message {
            client: own.client,
            life: own.life,
            source_partition: partition,
            seq: own.seq,
            ..history::Message::at_offset(known, (topic, partition), offset, at_us)
        },
        Decoded::Foreign | Decoded::Text(_) => history::Message {
            seq: payload::foreign_hash(key, value),
            ..history::Message::at_offset(Mark::Foreign, (topic, partition), offset, at_us)
        },
        Decoded::Corrupt => {
            history::Message::at_offset(Mark::Corrupt, (topic, partition), offset, at_us)
        }
    }
}

impl ConsumerShared {
    /// `latencies`: none where they are not measured.
    pub(super) fn new(
        spec: &ConsumerSpec,
        voice: Rc<Voice>,
        seen: RunRecorder,
        latencies: Option<Latencies>,
    ) -> Result<Self, HistoryError> {
        let firsts = spec.topics.iter().map(|t| Firsts::open(&spec.common, &spec.group, t));
        let firsts = firsts.collect::<Result<_, _>>()?;
        let inner = Inner {
            seen,
            parts: BTreeMap::new(),
            generation: 0,
            assigned: false,
            topic_keys: Vec::new(),
            broken: None,
        };
        Ok(Self {
            spec: spec.clone(),
            run: spec.common.run_ids(),
            voice,
            latencies,
            firsts,
            clock: RunClock::now(),
            inner: RefCell::new(inner),
        })
    }

    /// Reports the latencies if it is time, or at once when `last`.
    pub(super) fn report(&self, now: i64, last: bool) {
        if let Some(latencies) = &self.latencies {
            latencies.report(&self.voice, now, last);
        }
    }

    /// The history's failure, if it failed.
    pub(super) fn broken(&self) -> Option<HistoryError> {
        self.inner.borrow_mut().broken.take()
    }

    /// Fails if the client cannot go on: its history failed, or its instance is of no use any more.
    pub(super) fn goes_on(&self, kafka: &Kafka<'_>) -> Result<(), ClientError> {
        match self.broken() {
            Some(e) => Err(e.into()),
            None => usable(kafka, &self.voice),
        }
    }

    /// The assigned partitions; none while a rebalance is under way.
    pub(super) fn assigned(&self) -> Option<BTreeMap<(u16, u32), AssignedPart>> {
        let inner = self.inner.borrow();
        inner.assigned.then(|| inner.parts.clone())
    }

    fn topic_number(&self, topic: &str) -> Option<u16> {
        self.spec.topics.iter().position(|t| t == topic).and_then(|n| u16::try_from(n).ok())
    }

    fn topic_of(&self, message: &Message<'_>) -> Option<u16> {
        let key = message.topic_key();
        let known = self.inner.borrow().topic_keys.iter().find(|k| k.0 == key).copied();
        known.map(|k| k.1).or_else(|| {
            let number = self.topic_number(message.topic())?;
            self.inner.borrow_mut().topic_keys.push((key, number));
            Some(number)
        })
    }

    /// Takes in a message, an end of partition or an error.
    pub(super) fn take(&self, message: &Message<'_>, now: i64) -> TakenMessage {
        let Some(topic) = self.topic_of(message) else {
            // After a fatal error the client ends, and reports the error itself.
            if let Some(code) = message.error().filter(|code| *code != Code::FATAL) {
                self.voice.error(code, false, message.words());
            }
            return TakenMessage::Nothing;
        };
        let Ok(partition) = u32::try_from(message.partition()) else {
            return TakenMessage::Nothing;
        };
        let at = (topic, partition);
        match message.error() {
            None if self.deliver(message, at, now) => return TakenMessage::Delivered,
            None => {}
            Some(Code::EOF) => self.end_of_partition(at, message.offset(), now),
            Some(Code::AUTO_OFFSET_RESET) => {
                log(&format!("{}/{}: {}", message.topic(), at.1, message.words()));
                if self.is_new(at, message.offset()) {
                    return TakenMessage::Reset(at);
                }
            }
            Some(code) => self.voice.error(code, false, message.words()),
        }
        TakenMessage::Nothing
    }

    /// Whether the log still does not hold the partition's position: false if the error is from
    /// before a reset, and only came out of the queue after it.
    fn is_new(&self, at: (u16, u32), missing: i64) -> bool {
        let inner = self.inner.borrow();
        let reset_to = inner.parts.get(&at).and_then(|part| part.reset_to);
        reset_to.is_none_or(|offset| offset == missing)
    }

    /// Records a delivery; false if the partition is no longer assigned.
    fn deliver(&self, message: &Message<'_>, at: (u16, u32), now: i64) -> bool {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        // No longer assigned: the message was delivered to no client, and its offset is not stored.
        let Some(part) = inner.parts.get_mut(&at) else { return false };
        // librdkafka pauses all partitions while others are assigned or revoked. A message that it hands out at that
        // moment it reads again afterwards, as the first one, though the position was never moved back.
        if std::mem::take(&mut part.resumed) && message.offset() + 1 == part.position {
            log(&format!("{}/{}: offset {} came twice", message.topic(), at.1, message.offset()));
            return false;
        }
        part.position = message.offset() + 1;
        part.reset_to = None;
        let number = self.spec.common.topic_number(&self.spec.topics[usize::from(at.0)]);
        let decoded = message.parts().decode(&self.run);
        let intended = match decoded {
            Decoded::Identity(identity) => Some(identity.intended_us),
            Decoded::Text(id) if id.topic == number => self.intended_us(message),
            _ => None,
        };
        if let (Some(intended_us), Some(latencies)) = (intended, &self.latencies)
            && self.firsts[usize::from(at.0)].is_first(at.1, message.offset(), intended_us)
        {
            latencies.add(&self.voice, now, intended_us);
        }
        let place = (at.0, at.1, message.offset());
        let (value, key) = (message.value(), message.key());
        let mut record = identify(decoded, value, key, (Mark::Delivered, number), place, now);
        record.epoch = inner.generation;
        inner.keep(&record);
        true
    }

    /// When a message whose value the plan wrote was to be sent, by the timestamp that its producer gave it: at the
    /// end of that millisecond, so that none counts as slower than it was. None if the broker replaced the timestamp.
    fn intended_us(&self, message: &Message<'_>) -> Option<i64> {
        let created_ms = message.created_ms()?;
        Some(self.clock.mono_us(created_ms * 1_000 + 999))
    }

    fn end_of_partition(&self, at: (u16, u32), position: i64, now: i64) {
        let mut inner = self.inner.borrow_mut();
        let Some(part) = inner.parts.get_mut(&at) else { return };
        part.eof = position;
        part.reset_to = None;
        let (recorded, when) = part.eof_recorded;
        if position != recorded && now - when >= EOF_EVERY_US {
            part.eof_recorded = (position, now);
            inner.mark(Mark::Eof, at, position, now);
        }
    }

    /// Records the ends that a stop fixed as ends of partitions, if the position has passed them:
    /// Kafka would report an end only with its next empty answer.
    pub(super) fn reached(&self, ends: &[Position]) {
        let mut inner = self.inner.borrow_mut();
        for end in ends {
            let at = self.topic_number(&end.topic).map(|topic| (topic, end.partition));
            if let Some(part) = at.and_then(|at| inner.parts.get_mut(&at))
                && part.position >= end.offset
            {
                part.eof = part.eof.max(part.position);
            }
        }
    }

    /// Records the ends of partitions that were left out so far.
    pub(super) fn record_ends(&self) {
        let now = now_us();
        let mut inner = self.inner.borrow_mut();
        let missing: Vec<_> = inner
            .parts
            .iter_mut()
            .filter(|(_, part)| part.eof >= 0 && part.eof != part.eof_recorded.0)
            .map(|(at, part)| {
                part.eof_recorded = (part.eof, now);
                (*at, part.eof)
            })
            .collect();
        for (at, position) in missing {
            inner.mark(Mark::Eof, at, position, now);
        }
    }

    /// Positions that were recorded and not yet stored.
    pub(super) fn fresh_positions(&self) -> Vec<TopicPosition> {
        let mut inner = self.inner.borrow_mut();
        inner
            .parts
            .iter_mut()
            .filter(|(_, part)| part.position > part.stored)
            .map(|(at, part)| {
                part.stored = part.position;
                TopicPosition::new(&self.spec.topics[usize::from(at.0)], at.1 as i32, part.position)
            })
            .collect()
    }

    /// Stores or commits what was recorded, as the plan says.
    pub(super) fn advance(&self, kafka: &Kafka<'_>) {
        if self.spec.commit == CommitMode::None {
            return;
        }
        let fresh = self.fresh_positions();
        if fresh.is_empty() {
            return;
        }
        let done = match self.spec.commit {
            CommitMode::Auto => kafka.store_offsets(&fresh),
            CommitMode::Sync => kafka.commit(&fresh).map(|places| self.committed(None, places)),
            CommitMode::None => Ok(()),
        };
        if let Err(e) = done {
            self.complain(&e, "offsets were not committed");
        }
    }

    /// Commits what is stored and waits for the answer, which leaving the group would not show.
    pub(super) fn commit_last(&self, kafka: &Kafka<'_>) {
        self.advance(kafka);
        if self.spec.commit != CommitMode::Auto {
            return;
        }
        let open: Vec<_> = self
            .inner
            .borrow()
            .parts
            .iter()
            .filter(|(_, part)| part.stored > part.committed)
            .map(|(at, part)| {
                TopicPosition::new(&self.spec.topics[usize::from(at.0)], at.1 as i32, part.stored)
            })
            .collect();
        if open.is_empty() {
            return;
        }
        match kafka.commit(&open) {
            Ok(places) => self.committed(None, places),
            Err(e) => self.complain(&e, "offsets were not committed"),
        }
    }

    pub(super) fn complain(&self, error: &Asked, what: &str) {
        match error {
            Asked::Code(code) => self.voice.error(*code, false, what),
            Asked::Refused(e) => log(&format!("{what}: {e}")),
        }
    }
}

impl Events for ConsumerShared {
    fn error(&self, code: Code, fatal: bool, words: &str) {
        self.voice.error(code, fatal, words);
    }

    fn stats(&self, json: &[u8]) {
        self.voice.stats(json);
    }

    fn rebalance(&self, kafka: &Kafka<'_>, what: Rebalance, partitions: Vec<TopicPosition>) {
        match what {
            Rebalance::Assign => self.assign(kafka, &partitions),
            Rebalance::Revoke => self.revoke(kafka, &partitions),
        }
    }

    fn committed(&self, error: Option<Code>, offsets: Vec<TopicPosition>) {
        match error {
            // Nothing was stored since the last commit.
            Some(Code::NO_OFFSET) => return,
            Some(code) => return self.voice.error(code, false, "a commit failed"),
            None => {}
        }
        let now = now_us();
        let mut inner = self.inner.borrow_mut();
        for place in offsets.iter().filter(|p| p.offset >= 0) {
            if let Some(code) = place.error {
                self.voice.error(code, false, "a commit failed");
            } else if let Some(topic) = self.topic_number(&place.topic) {
                let at = (topic, place.partition.max(0).unsigned_abs());
                if let Some(part) = inner.parts.get_mut(&at) {
                    part.committed = place.offset;
                }
                inner.mark(Mark::OffsetCommitted, at, place.offset, now);
            }
        }
    }
}
