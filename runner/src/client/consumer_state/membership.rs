//! Rebalances and resets: finds where reading starts, and records it before anything is fetched.

use std::time::Duration;

use kplan_dsl::value::OffsetReset;

use super::{AssignedPart, ConsumerShared};
use crate::{
    client::{
        ClientError, log,
        protocol::{ClientReport, Position},
        raw::{Asked, Kafka, TopicPosition},
    },
    history::{Mark, now_us},
};

/// Limit of one request to a broker.
const QUESTION: Duration = Duration::from_secs(2);
/// How long start positions are looked for before librdkafka is left to find them, in microseconds;
/// well below `max.poll.interval.ms`.
const RESOLVE_US: i64 = 60_000_000;

impl ConsumerShared {
    /// Moves the position as the plan specifies, after the log turned out not to hold a
    /// partition's position. Partitions without an answer stay in `wanted`, to be retried.
    pub(in crate::client) fn reset(&self, kafka: &Kafka<'_>, wanted: &mut Vec<(u16, u32)>) {
        let mut found = Vec::new();
        wanted.retain(|at| {
            if !self.inner.borrow().parts.contains_key(at) {
                return false;
            }
            let topic = &self.spec.topics[usize::from(at.0)];
            match self.boundary(kafka, &TopicPosition::new(topic, at.1 as i32, -1)) {
                Ok(offset) => found.push((*at, offset)),
                Err(e) => log(&format!("reset of {topic}/{}: {e}", at.1)),
            }
            found.last().is_none_or(|(done, _)| done != at)
        });
        if found.is_empty() {
            return;
        }
        for (at, offset) in &found {
            self.record_reset(*at, *offset);
        }
        if let Err(e) = self.restart(kafka, &found) {
            self.complain(&e, "the reset failed");
        }
    }

    /// Goes back to the committed position: messages that were read for an aborted transaction are read again. Fails if
    /// that is not possible: they would be passed over.
    pub(in crate::client) fn rewind(&self, kafka: &Kafka<'_>) -> Result<(), ClientError> {
        let mut back = Vec::new();
        for (at, part) in &mut self.inner.borrow_mut().parts {
            if part.position != part.committed {
                (part.position, part.stored, part.eof) = (part.committed, part.committed, -1);
                back.push((*at, part.committed));
            }
        }
        if back.is_empty() {
            return Ok(());
        }
        self.restart(kafka, &back).map_err(|e| {
            ClientError::new(format!("going back to the committed position failed: {e}"))
        })
    }

    fn record_reset(&self, at: (u16, u32), offset: i64) {
        let now = now_us();
        let mut inner = self.inner.borrow_mut();
        if let Some(part) = inner.parts.get_mut(&at) {
            (part.position, part.stored, part.committed) = (offset, offset, offset);
            part.eof = -1;
            part.reset_to = Some(offset);
        }
        inner.mark(Mark::Reset, at, offset, now);
        let topic = self.spec.topics[usize::from(at.0)].clone();
        self.voice.say(ClientReport::Reset {
            at_us: now,
            position: Position { topic, partition: at.1, offset },
            text: format!("the log does not hold the position: reset to {:?}", self.spec.from),
        });
    }

    /// Reads on at these places. librdkafka has stopped reading the partitions, and would refuse a
    /// seek: they are assigned again, and without cooperation all others too, at their positions.
    fn restart(&self, kafka: &Kafka<'_>, found: &[((u16, u32), i64)]) -> Result<(), Asked> {
        let place = |at: &(u16, u32), offset| {
            // Where no position is known, librdkafka looks for it.
            let offset = if offset < 0 { -1001 } else { offset };
            TopicPosition::new(&self.spec.topics[usize::from(at.0)], at.1 as i32, offset)
        };
        if kafka.cooperative() {
            let found: Vec<_> = found.iter().map(|(at, offset)| place(at, *offset)).collect();
            kafka.unassign(&found)?;
            return kafka.assign_more(&found);
        }
        let inner = self.inner.borrow();
        let all: Vec<_> = inner.parts.iter().map(|(at, part)| place(at, part.position)).collect();
        drop(inner);
        kafka.assign(&all)
    }

    /// The log's start or end, as the plan says where to begin.
    fn boundary(&self, kafka: &Kafka<'_>, place: &TopicPosition) -> Result<i64, Asked> {
        let (low, high) = kafka.watermarks(&place.topic, place.partition, QUESTION)?;
        Ok(match self.spec.from {
            OffsetReset::Earliest => low,
            OffsetReset::Latest => high,
        })
    }

    fn positions(&self, places: &[TopicPosition]) -> Vec<Position> {
        places
            .iter()
            .map(|p| Position {
                topic: p.topic.clone(),
                partition: p.partition.max(0).unsigned_abs(),
                offset: p.offset.max(-1),
            })
            .collect()
    }

    pub(super) fn assign(&self, kafka: &Kafka<'_>, partitions: &[TopicPosition]) {
        let resolved = self.resolve(kafka, partitions);
        let now = now_us();
        let generation = u32::try_from(kafka.generation()).unwrap_or(0);
        {
            let mut inner = self.inner.borrow_mut();
            inner.generation = generation;
            inner.assigned = true;
            inner.parts.values_mut().for_each(|part| part.resumed = true);
            for place in &resolved {
                let Some(topic) = self.topic_number(&place.topic) else { continue };
                let at = (topic, place.partition.max(0).unsigned_abs());
                let position = place.offset.max(-1);
                let part = AssignedPart {
                    position,
                    stored: position,
                    committed: position,
                    eof: -1,
                    eof_recorded: (-1, i64::MIN / 2),
                    reset_to: None,
                    resumed: false,
                };
                inner.parts.insert(at, part);
                inner.mark(Mark::Assigned, at, position, now);
            }
        }
        let partitions = self.positions(&resolved);
        self.voice.say(ClientReport::Assigned { at_us: now, generation, partitions });
        let assigned = if kafka.cooperative() {
            kafka.assign_more(&resolved)
        } else {
            kafka.assign(&resolved)
        };
        if let Err(e) = assigned {
            self.complain(&e, "the assignment failed");
        }
    }

    /// Where reading starts in each partition: the committed offset, else the plan's `from`. Asked
    /// until it is known; what is not known in time is left to librdkafka.
    fn resolve(&self, kafka: &Kafka<'_>, partitions: &[TopicPosition]) -> Vec<TopicPosition> {
        let mut resolved: Vec<TopicPosition> =
            partitions.iter().map(|p| TopicPosition::new(&p.topic, p.partition, -1001)).collect();
        let give_up = now_us() + RESOLVE_US;
        let mut committed = resolved.is_empty();
        loop {
            if !committed {
                match kafka.committed(&resolved, QUESTION) {
                    Ok(places) => {
                        committed = places.iter().all(|p| p.error.is_none());
                        resolved = places;
                    }
                    Err(e) => log(&format!("committed offsets: {e}")),
                }
            }
            if committed {
                for place in resolved.iter_mut().filter(|p| p.offset < 0) {
                    match self.boundary(kafka, place) {
                        Ok(offset) => place.offset = offset,
                        Err(e) => log(&format!("{}/{}: {e}", place.topic, place.partition)),
                    }
                }
            }
            let known = committed && resolved.iter().all(|p| p.offset >= 0);
            if known || now_us() > give_up {
                return resolved;
            }
            // A broker that refuses at once would be asked without a pause.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn revoke(&self, kafka: &Kafka<'_>, partitions: &[TopicPosition]) {
        let lost = kafka.assignment_lost();
        if !lost {
            self.advance(kafka);
        }
        self.record_ends();
        let now = now_us();
        let mut positions = self.positions(partitions);
        let generation = {
            let mut inner = self.inner.borrow_mut();
            for place in &mut positions {
                let Some(topic) = self.topic_number(&place.topic) else { continue };
                let at = (topic, place.partition);
                place.offset = inner.parts.remove(&at).map_or(-1, |part| part.position);
                inner.mark(Mark::Revoked, at, place.offset, now);
            }
            inner.assigned = false;
            inner.parts.values_mut().for_each(|part| part.resumed = true);
            inner.generation
        };
        self.voice.say(ClientReport::Revoked {
            at_us: now,
            generation,
            partitions: positions,
            lost,
        });
        let unassigned =
            if kafka.cooperative() { kafka.unassign(partitions) } else { kafka.unassign_all() };
        if let Err(e) = unassigned {
            self.complain(&e, "the revocation failed");
        }
    }
}
