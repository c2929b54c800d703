//! The audit's reader: a process of its own, so that the runner stays small. It reads every
//! partition from its start to a given end, without a group, and records what it found.

mod batches;
mod brokers;
mod careful;

use std::{collections::BTreeMap, iter, rc::Rc, time::Duration};

use kplan_dsl::value::Isolation;

use super::{
    ClientError,
    consumer_state::identify,
    protocol::{ClientReport, DAMAGED, Position},
    raw::{ClientType, Code, Events, Instance, LogQueue, Message},
    settings,
    spec::LogSpec,
    voice::Voice,
};
use crate::{
    history::{self, HistoryWriter, Mark, MessageRun, RunRecorder, Writer, now_us},
    identity::{
        MessageParts, RunIds,
        payload::{self, Decoded, Original},
        text::TextId,
    },
};

const PATIENCE: Duration = Duration::from_millis(100);
/// How often progress is reported, in microseconds.
const PROGRESS_US: i64 = 250_000;

/// librdkafka's errors for data that it cannot read, after which its messages are not reliable.
const UNREADABLE: [Code; 3] = [Code::BAD_MSG, Code::BAD_COMPRESSION, Code::NOT_IMPLEMENTED];

/// A partition's reading.
struct ReadPart {
    topic: u16,
    partition: u32,
    start: i64,
    end: i64,
    /// The next offset expected.
    position: i64,
    transactional: bool,
    /// Offsets that showed a message, as ranges `[from, to)`; kept only where transactions were used.
    shown: Vec<(i64, i64)>,
}

impl ReadPart {
    fn done(&self) -> bool {
        self.position >= self.end
    }

    fn show(&mut self, offset: i64) {
        if !self.transactional {
            return;
        }
        match self.shown.last_mut() {
            Some((_, to)) if *to == offset => *to += 1,
            _ => self.shown.push((offset, offset + 1)),
        }
    }
}

/// The events of a reader: it reports errors.
pub(super) struct Talk(pub(super) Rc<Voice>);

impl Events for Talk {
    fn error(&self, code: Code, fatal: bool, words: &str) {
        self.0.error(code, fatal, words);
    }

    fn stats(&self, _: &[u8]) {}
}

/// The body of the audit's reader: reports what it could not read.
pub(super) fn run(spec: &LogSpec, voice: &Rc<Voice>) -> Result<ClientReport, ClientError> {
    let topics = spec.topics.iter().map(|t| t.name.clone()).collect();
    let header = spec.common.header(Writer::Audit, topics, None);
    let path = spec.common.history_path(Writer::Audit);
    let mut found = RunRecorder::new(HistoryWriter::create(&path, &header)?);
    let all = parts(spec, false);
    let again = parts(spec, true);
    let total = [&all, &again].into_iter().flatten().map(|p| (p.end - p.start).max(0)).sum::<i64>();
    for part in &all {
        found.append(&mark(Mark::LogStart, part, part.start, 0))?;
    }
    let progress = Progress { voice, of: total.unsigned_abs(), said: 0, before: 0 };
    let isolation = Isolation::ReadUncommitted;
    let run = spec.common.run_ids();
    let mut pass = Pass { spec, voice, found, progress, isolation, run, ids: Vec::new() };
    let mut reader = match spec.careful {
        true => Some(brokers::Brokers::new(&spec.common)?),
        false => None,
    };
    let everything = pass.read_by(all, reader.as_mut())?;
    let mut unread = pass.unread(&everything);
    if unread.is_empty() && !again.is_empty() {
        pass.isolation = Isolation::ReadCommitted;
        let visible = pass.read_by(again, reader.as_mut())?;
        unread = pass.unread(&visible);
        pass.compare(&everything, &visible)?;
    }
    for part in &everything {
        pass.found.append(&mark(Mark::LogEnd, part, part.position.min(part.end), 0))?;
    }
    let left = unread.iter().map(|u| u.1).sum();
    let unread = unread.into_iter().map(|u| u.0).collect();
    Ok(ClientReport::Ended { at_us: now_us(), left, unread })
}

fn parts(spec: &LogSpec, transactional: bool) -> Vec<ReadPart> {
    let topics = spec.topics.iter().zip(0_u16..);
    topics
        .filter(|(topic, _)| topic.transactional || !transactional)
        .flat_map(|(topic, number)| {
            topic.spans.iter().map(move |span| ReadPart {
                topic: number,
                partition: span.partition,
                start: span.start,
                end: span.end,
                position: span.start,
                transactional: topic.transactional,
                shown: Vec::new(),
            })
        })
        .collect()
}

/// How many offsets were passed.
fn passed(parts: &[ReadPart]) -> u64 {
    parts.iter().map(|p| (p.position.min(p.end) - p.start).max(0)).sum::<i64>().unsigned_abs()
}

fn mark(mark: Mark, part: &ReadPart, offset: i64, count: u64) -> MessageRun {
    let at_us = now_us();
    MessageRun {
        mark,
        topic: part.topic,
        partition: part.partition,
        client: 0,
        life: 0,
        source_partition: 0,
        first_seq: 0,
        first_offset: offset,
        count,
        first_us: at_us,
        last_us: at_us,
        error: 0,
        epoch: 0,
    }
}

struct Progress<'a> {
    voice: &'a Voice,
    of: u64,
    said: i64,
    /// Offsets passed in earlier passes.
    before: u64,
}

impl Progress<'_> {
    fn report(&mut self, read: u64, now: i64) {
        if now - self.said >= PROGRESS_US {
            self.said = now;
            self.voice.mention(ClientReport::Progress {
                at_us: now,
                read: self.before + read,
                of: self.of,
            });
        }
    }
}

struct Pass<'a> {
    spec: &'a LogSpec,
    voice: &'a Rc<Voice>,
    found: RunRecorder,
    progress: Progress<'a>,
    isolation: Isolation,
    run: RunIds,
    /// The identities in the newest message, if it has any as text.
    ids: Vec<TextId>,
}

/// The time, read only now and then: messages come by the million.
#[derive(Default)]
struct Clock {
    now: i64,
    reported: u32,
}

impl Clock {
    fn now(&mut self) -> i64 {
        if self.reported.is_multiple_of(256) {
            self.now = now_us();
        }
        self.reported = self.reported.wrapping_add(1);
        self.now
    }
}

impl Pass<'_> {
    /// Reads with librdkafka, or, where there are connections of kplan's own, without it.
    fn read_by(
        &mut self,
        parts: Vec<ReadPart>,
        brokers: Option<&mut brokers::Brokers>,
    ) -> Result<Vec<ReadPart>, ClientError> {
        match brokers {
            Some(brokers) => self.read_carefully(parts, brokers),
            None => self.read(parts),
        }
    }

    /// Reads the partitions to their ends, or until nothing has come for the spec's time.
    fn read(&mut self, mut parts: Vec<ReadPart>) -> Result<Vec<ReadPart>, ClientError> {
        let settings = settings::log_reader(&self.spec.common, self.isolation);
        let events: Rc<dyn Events> = Rc::new(Talk(Rc::clone(self.voice)));
        let kafka = Instance::new(
            ClientType::Consumer,
            &settings,
            self.spec.common.routes.as_ref(),
            events,
        )?;
        let mut queue = LogQueue::new(&kafka)?;
        let mut at = BTreeMap::new();
        for (i, part) in parts.iter().enumerate().filter(|(_, p)| !p.done()) {
            let topic = &self.spec.topics[usize::from(part.topic)].name;
            let key = queue.start(topic, part.partition as i32, part.start)?;
            at.insert((key, part.partition as i32), i);
        }
        let mut open = at.len();
        let stall_us = i64::try_from(self.spec.stall_ms).unwrap_or(i64::MAX / 1000) * 1000;
        let mut moved = now_us();
        let mut finished = Vec::new();
        while open > 0 && now_us() - moved < stall_us {
            // Messages come partition by partition: the next message is mostly of the same one.
            let mut last = ((0, -1), 0);
            let mut clock = Clock::default();
            let mut trouble = Ok(());
            queue.serve(PATIENCE, |message| {
                let place = (message.topic_key(), message.partition());
                if place != last.0 {
                    let Some(i) = at.get(&place) else { return };
                    last = (place, *i);
                }
                let part = &mut parts[last.1];
                if part.done() || trouble.is_err() {
                    return;
                }
                let now = clock.now();
                match self.take(part, message, now) {
                    Ok(true) => moved = now,
                    Ok(false) => {}
                    Err(e) => trouble = Err(e),
                }
                if part.done() {
                    finished.push(place);
                }
            });
            trouble?;
            for place in finished.drain(..) {
                queue.stop(place);
                open -= 1;
            }
            kafka.poll(Duration::ZERO);
            self.progress.report(passed(&parts), now_us());
        }
        self.progress.before += passed(&parts);
        Ok(parts)
    }

    /// Takes in what a partition showed; true if its reading went on.
    fn take(
        &mut self,
        part: &mut ReadPart,
        message: &Message<'_>,
        now: i64,
    ) -> Result<bool, ClientError> {
        match message.error() {
            None => {}
            // Control records leave gaps: the position at the end counts, not the last offset.
            Some(Code::EOF) => {
                let further = message.offset() > part.position;
                part.position = part.position.max(message.offset());
                return Ok(further);
            }
            Some(code) => {
                let words = format!("partition {}: {}", part.partition, message.words());
                if UNREADABLE.contains(&code) {
                    return Err(ClientError { text: words, code: DAMAGED });
                }
                self.voice.error(code, false, &words);
                return Ok(false);
            }
        }
        let offset = message.offset();
        part.position = offset + 1;
        if offset < part.end {
            self.record(part, offset, message.parts(), now)?;
        }
        Ok(true)
    }

    /// Records a message.
    fn record<'m>(
        &mut self,
        part: &mut ReadPart,
        offset: i64,
        message: MessageParts<'m, impl Iterator<Item = &'m [u8]>>,
        now: i64,
    ) -> Result<(), ClientError> {
        part.show(offset);
        if self.isolation != Isolation::ReadUncommitted {
            return Ok(());
        }
        let (key, value) = (message.key, message.value);
        let (decoded, more) = message.decode_all(&self.run);
        let place = (part.topic, part.partition, offset);
        let number = self.spec.common.topic_number(&self.spec.topics[usize::from(part.topic)].name);
        let record = identify(decoded, value, key, (Mark::Found, number), place, now);
        self.found.record(&record)?;
        match (decoded, value) {
            (Decoded::Identity(identity), Some(value)) => {
                if let Some(original) = payload::original(&identity, value) {
                    self.found.record(&copied(&record, original))?;
                }
            }
            (Decoded::Text(first), _) => {
                self.ids.clear();
                self.ids.extend(iter::once(first).chain(more).filter(|id| id.topic != number));
                self.ids.sort_unstable();
                self.ids.dedup();
                for id in &self.ids {
                    self.found.record(&derived(&record, id))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The partitions whose end was not reached, with the remaining distance.
    fn unread(&self, parts: &[ReadPart]) -> Vec<(Position, u64)> {
        parts
            .iter()
            .filter(|p| !p.done())
            .map(|p| {
                let topic = self.spec.topics[usize::from(p.topic)].name.clone();
                let missing = (p.end - p.position).unsigned_abs();
                (Position { topic, partition: p.partition, offset: p.position }, missing)
            })
            .collect()
    }

    /// Records the ranges that only the first pass showed: aborted below the position that the second
    /// pass reached, of an open transaction from there.
    fn compare(
        &mut self,
        everything: &[ReadPart],
        visible: &[ReadPart],
    ) -> Result<(), ClientError> {
        for seen in visible {
            let same = |p: &&ReadPart| (p.topic, p.partition) == (seen.topic, seen.partition);
            let Some(all) = everything.iter().find(same) else { continue };
            for (from, to) in subtract(&all.shown, &seen.shown) {
                let stable = seen.position.clamp(from, to);
                for (kind, from, to) in
                    [(Mark::FoundAborted, from, stable), (Mark::FoundOpen, stable, to)]
                {
                    if from < to {
                        let count = (to - from).unsigned_abs();
                        self.found.append(&mark(kind, seen, from, count))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The reference of a copy to its original.
fn copied(copy: &history::Message, original: Original) -> history::Message {
    history::Message {
        mark: Mark::Copied,
        client: original.client,
        life: original.life,
        source_partition: original.partition,
        seq: original.seq,
        epoch: u32::from(copy.client),
        ..*copy
    }
}

/// The reference of a message to one that it was made of.
fn derived(message: &history::Message, from: &TextId) -> history::Message {
    history::Message {
        mark: Mark::Derived,
        client: from.client,
        life: from.life,
        source_partition: from.partition,
        seq: from.seq,
        ..*message
    }
}

/// The parts of the ranges `all` that lie in none of `some`; both are sorted and do not overlap.
fn subtract(all: &[(i64, i64)], some: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut rest = Vec::new();
    let mut some = some.iter().copied().peekable();
    for (mut from, to) in all.iter().copied() {
        while from < to {
            match some.peek().copied() {
                Some((_, end)) if end <= from => {
                    some.next();
                }
                Some((begin, end)) if begin < to => {
                    if from < begin {
                        rest.push((from, begin));
                    }
                    from = end;
                }
                _ => {
                    rest.push((from, to));
                    from = to;
                }
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::subtract;

    fn ranges(bits: &[bool]) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for (i, _) in bits.iter().enumerate().filter(|(_, b)| **b) {
            match ranges.last_mut() {
                Some((_, to)) if *to == i as i64 => *to += 1,
                _ => ranges.push((i as i64, i as i64 + 1)),
            }
        }
        ranges
    }

    proptest! {
        #[test]
        fn subtracts_like_sets(bits in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..60)) {
            let all: Vec<_> = bits.iter().map(|b| b.0).collect();
            let some: Vec<_> = bits.iter().map(|b| b.1).collect();
            let rest: Vec<_> = bits.iter().map(|b| b.0 && !b.1).collect();
            let mut left = vec![false; bits.len()];
            for (from, to) in subtract(&ranges(&all), &ranges(&some)) {
                prop_assert!(from < to);
                (from..to).for_each(|i| left[i as usize] = true);
            }
            prop_assert_eq!(left, rest);
        }
    }
}
