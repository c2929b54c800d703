//! `unavailable`: the longest time without an acknowledgement (a delivery) while there was something
//! to acknowledge (to deliver), by partition. Gaps at the begin and gaps that are still open count; the client's
//! own absence does not.
//!
//! A failed message does not end a gap: it was to be acknowledged, and was not.

use std::collections::BTreeMap;

use super::{
    Gap, Mate, PartitionPlace,
    gaps::{Follower, GapTime},
    merged::Merged,
    place,
};
use crate::history::{HistoryError, HistoryFile, Mark, MessageRun, Writer};

/// A producing client and its life.
type AckStream = (u16, u16);

/// A producer's partition.
#[derive(Default)]
struct Sending {
    follower: Follower,
    /// Messages of the newest life without an outcome.
    open: i64,
    life: u16,
}

/// The longest gap of each partition that a producer uses, within the judged time. `files` are the histories of all
/// its lives, sent and answered.
pub fn producer_gaps(
    files: &[&HistoryFile],
    time: &GapTime<'_>,
) -> Result<BTreeMap<PartitionPlace, Gap>, HistoryError> {
    let mut files = files.to_vec();
    // At the same time: sent before heard.
    files.sort_by_key(|f| f.header().writer == Writer::ProducerHeard);
    let mut parts: BTreeMap<PartitionPlace, Sending> = BTreeMap::new();
    let mut transactions: BTreeMap<(u16, u32), BTreeMap<PartitionPlace, i64>> = BTreeMap::new();
    let mut merged = Merged::new(&files);
    while let Some(next) = merged.next() {
        let (file, run) = next?;
        let life = file.header().life;
        if matches!(run.mark, Mark::Committed | Mark::Aborted | Mark::Unsettled) {
            for (place, count) in transactions.remove(&(life, run.epoch)).unwrap_or_default() {
                let part = parts.entry(place).or_default();
                if run.mark == Mark::Committed {
                    part.acked(life, count, &run, time);
                } else {
                    part.resolved(life, count);
                }
            }
            continue;
        }
        let count = run.count.cast_signed();
        let place = place(file, &run)?;
        if run.mark == Mark::Acked && run.epoch != 0 {
            *transactions.entry((life, run.epoch)).or_default().entry(place).or_default() += count;
            continue;
        }
        let part = parts.entry(place).or_default();
        match run.mark {
            Mark::Sent => part.sent(life, count, run.first_us),
            Mark::Acked => part.acked(life, count, &run, time),
            Mark::Failed => part.resolved(life, count),
            _ => {}
        }
    }
    Ok(ended(parts.into_iter().map(|(place, part)| (place, part.follower)), time))
}

impl Sending {
    fn sent(&mut self, life: u16, count: i64, at: i64) {
        if life > self.life {
            // Messages that an earlier life waited for no longer count.
            (self.life, self.open) = (life, 0);
        }
        self.open += count;
        self.follower.owe(at);
    }

    fn acked(&mut self, life: u16, count: i64, run: &MessageRun, time: &GapTime<'_>) {
        self.resolved(life, count);
        self.follower.answer(run.first_us, run.last_us, self.open > 0, time);
    }

    fn resolved(&mut self, life: u16, count: i64) {
        if life == self.life {
            self.open -= count;
        }
    }
}

/// A consumer's partition.
#[derive(Default)]
struct Reading {
    follower: Follower,
    /// The client has begun to read it.
    began: bool,
    /// The partition was assigned to no other client of the group since.
    held: bool,
    /// The next sequence of each producer's life: acknowledged up to, delivered up to.
    streams: BTreeMap<AckStream, (u64, u64)>,
    /// The highest acknowledged offset.
    last_offset: i64,
    /// For some messages that were sent to it the offset is unknown.
    unplaced: bool,
}

impl Reading {
    fn owes(&self) -> bool {
        self.began && self.held && self.streams.values().any(|(acked, delivered)| acked > delivered)
    }

    /// Nothing is left to deliver.
    fn clear(&mut self) {
        self.follower.forgive();
        for (acked, delivered) in self.streams.values_mut() {
            *delivered = (*delivered).max(*acked);
        }
    }

    fn appended(&mut self, stream: AckStream, run: &MessageRun, at: i64) {
        let (acked, _) = self.streams.entry(stream).or_default();
        *acked = (*acked).max(run.first_seq + run.count);
        if run.first_offset >= 0 {
            let last = run.first_offset + run.count.cast_signed() - 1;
            self.last_offset = self.last_offset.max(last);
        } else {
            self.unplaced = true;
        }
        if self.owes() {
            self.follower.owe(at);
        }
    }

    fn assigned(&mut self, position: i64, at: i64) {
        if self.began && self.held {
            return;
        }
        if !self.began && !self.unplaced && position > self.last_offset {
            // It begins after everything that is there.
            self.clear();
        }
        (self.began, self.held) = (true, true);
        if self.owes() {
            self.follower.owe(at);
        }
    }

    /// A partition that is assigned to another client of the group is no longer this client's.
    fn others(&mut self, run: &MessageRun, time: &GapTime<'_>) {
        match run.mark {
            Mark::Assigned if self.held => {
                self.held = false;
                self.follower.hand_over(run.first_us, time);
            }
            Mark::Delivered if !self.held => {
                let (_, delivered) = self.streams.entry((run.client, run.life)).or_default();
                *delivered = (*delivered).max(run.first_seq + run.count);
            }
            Mark::Eof if !self.held => self.clear(),
            _ => {}
        }
    }

    fn delivered(&mut self, run: &MessageRun, time: &GapTime<'_>) {
        let (_, delivered) = self.streams.entry((run.client, run.life)).or_default();
        *delivered = (*delivered).max(run.first_seq + run.count);
        let more = self.owes();
        self.follower.answer(run.first_us, run.last_us, more, time);
    }
}

/// The longest gap of each partition that a client reads, within the judged time. `consumers` are the
/// histories of all its members and lives, `mates` the other clients of its group, `producers` the answer
/// histories of the producers of its topics. With `unanswered`, messages that were sent with acks=0 count as to be
/// delivered, although it is unknown whether they reached the log: the gaps are then the longest possible ones.
pub fn consumer_gaps(
    consumers: &[&HistoryFile],
    mates: &[Mate],
    (producers, unanswered): (&[&HistoryFile], bool),
    time: &GapTime<'_>,
) -> Result<BTreeMap<PartitionPlace, Gap>, HistoryError> {
    let heard = producers.iter().filter(|f| f.header().writer == Writer::ProducerHeard);
    let mates: Vec<_> = mates.iter().flat_map(|mate| &mate.files).collect();
    let others = |file: &HistoryFile| mates.iter().any(|mate| std::ptr::eq(*mate, file));
    let files: Vec<_> = heard.chain(consumers).chain(&mates).copied().collect();
    let mut parts: BTreeMap<PartitionPlace, Reading> = BTreeMap::new();
    let mut transactions: BTreeMap<(AckStream, u32), Vec<(PartitionPlace, MessageRun)>> =
        BTreeMap::new();
    let mut merged = Merged::new(&files);
    while let Some(next) = merged.next() {
        let (file, run) = next?;
        let stream = (file.header().client_id, file.header().life);
        if matches!(run.mark, Mark::Committed | Mark::Aborted | Mark::Unsettled) {
            let ended = transactions.remove(&(stream, run.epoch)).unwrap_or_default();
            for (place, acked) in ended.iter().filter(|_| run.mark == Mark::Committed) {
                let part = parts.entry(place.clone()).or_insert_with(unread);
                part.appended(stream, acked, run.first_us);
            }
            continue;
        }
        let place = place(file, &run)?;
        if run.mark == Mark::Acked && run.epoch != 0 {
            transactions.entry((stream, run.epoch)).or_default().push((place, run));
            continue;
        }
        let part = parts.entry(place).or_insert_with(unread);
        if others(file) {
            part.others(&run, time);
            continue;
        }
        match run.mark {
            Mark::Acked => part.appended(stream, &run, run.first_us),
            Mark::Written if unanswered => part.appended(stream, &run, run.first_us),
            Mark::Assigned => part.assigned(run.first_offset, run.first_us),
            Mark::Delivered => part.delivered(&run, time),
            Mark::Eof => part.clear(),
            _ => {}
        }
    }
    let read = parts.into_iter().filter(|(_, part)| part.began);
    Ok(ended(read.map(|(place, part)| (place, part.follower)), time))
}

fn unread() -> Reading {
    Reading { last_offset: -1, ..Reading::default() }
}

pub(super) fn ended(
    parts: impl Iterator<Item = (PartitionPlace, Follower)>,
    time: &GapTime<'_>,
) -> BTreeMap<PartitionPlace, Gap> {
    parts.filter_map(|(place, f)| Some((place, f.end(time)?))).collect()
}
