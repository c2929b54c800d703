//! A client's latencies: of the interval that runs, kept where a SIGKILL does not reach them, then reported.

use std::{
    cell::Cell,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    protocol::{Buckets, ClientReport},
    voice::Voice,
};
use crate::history::{HistoryError, Words, now_us};

/// How often latencies are reported.
const INTERVAL_US: i64 = 500_000;
/// Messages that one interval holds: with more it ends early.
const ROOM: usize = 65_536;
/// Words of one interval: when it began, how many messages, and the latency of each.
const SLOT: usize = 2 + ROOM;
/// Different latencies of an interval that are told exactly.
const EXACT: usize = 1_000;

/// Latencies of the current interval, in microseconds. Two intervals take turns in the file, so that the one
/// before is still there while its report is on its way.
pub(super) struct Latencies {
    words: Words,
    slot: Cell<usize>,
    from_us: Cell<i64>,
    len: Cell<usize>,
}

impl Latencies {
    pub(super) fn create(path: &Path) -> Result<Self, HistoryError> {
        let words = Words::open(path, 2 * SLOT)?;
        let this = Self { words, slot: Cell::new(1), from_us: Cell::new(0), len: Cell::new(0) };
        this.turn(now_us());
        Ok(this)
    }

    fn slot(&self) -> &[AtomicU64] {
        let at = self.slot.get() * SLOT;
        &self.words.get()[at..at + SLOT]
    }

    pub(super) fn add(&self, voice: &Voice, latency_us: i64) {
        let (len, slot) = (self.len.get(), self.slot());
        let latency_us = u64::try_from(latency_us).unwrap_or(0);
        slot[2 + len].store(latency_us, Ordering::Relaxed);
        slot[1].store(len as u64 + 1, Ordering::Release);
        self.len.set(len + 1);
        if len + 1 == ROOM {
            self.report(voice, now_us(), true);
        }
    }

    /// Reports the interval if it is over, or at once when `last`.
    pub(super) fn report(&self, voice: &Voice, now: i64, last: bool) {
        let from_us = self.from_us.get();
        if now - from_us < INTERVAL_US && !last {
            return;
        }
        if self.len.get() == 0 {
            return self.begin(now);
        }
        let buckets = buckets(&values(self.slot()));
        voice.say(ClientReport::Latency { from_us, to_us: now, buckets });
        self.turn(now);
    }

    fn turn(&self, now: i64) {
        self.slot.set(1 - self.slot.get());
        self.begin(now);
    }

    fn begin(&self, now: i64) {
        let slot = self.slot();
        slot[1].store(0, Ordering::Release);
        slot[0].store(now.cast_unsigned(), Ordering::Release);
        self.from_us.set(now);
        self.len.set(0);
    }
}

fn values(slot: &[AtomicU64]) -> Vec<u64> {
    let count = slot[1].load(Ordering::Acquire).min(ROOM as u64) as usize;
    slot[2..2 + count].iter().map(|word| word.load(Ordering::Relaxed)).collect()
}

/// Values and how often each came, ascending. Where there are very many different ones, those that share
/// three digits are one, and as short as the shortest of them; the longest of all stays what it is.
fn buckets(values: &[u64]) -> Buckets {
    let exact = counted(values.to_vec());
    if exact.len() <= EXACT {
        return exact;
    }
    let most = exact.last().map_or(0, |last| last.0);
    let mut all: Buckets = Vec::new();
    for (value, count) in exact {
        match all.last_mut() {
            Some((first, counts)) if value != most && cut(*first) == cut(value) => *counts += count,
            _ => all.push((value, count)),
        }
    }
    all
}

/// Three digits of a value.
fn cut(value: u64) -> u64 {
    let step = 10_u64.pow(value.checked_ilog10().unwrap_or(0).saturating_sub(2));
    value / step * step
}

fn counted(mut values: Vec<u64>) -> Buckets {
    values.sort_unstable();
    let mut all: Buckets = Vec::new();
    for value in values {
        match all.last_mut() {
            Some((same, count)) if *same == value => *count += 1,
            _ => all.push((value, 1)),
        }
    }
    all
}

/// What a client's file holds of intervals that began at `since_us` or later: when each began, and its
/// latencies. A client that has not begun has no file.
pub fn unreported(path: &Path, since_us: i64) -> Vec<(i64, Buckets)> {
    if !path.exists() {
        return Vec::new();
    }
    let Ok(words) = Words::open(path, 2 * SLOT) else { return Vec::new() };
    let slots = words.get().chunks_exact(SLOT);
    let begun = |slot: &[AtomicU64]| slot[0].load(Ordering::Acquire).cast_signed();
    let known = slots.map(|slot| (begun(slot), slot)).filter(|(at, _)| *at >= since_us);
    known.map(|(at, slot)| (at, buckets(&values(slot)))).filter(|(_, b)| !b.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_reported_is_found_in_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("P.latency");
        assert!(unreported(&path, 0).is_empty());
        let (voice, writer) = Voice::start();
        let latencies = Latencies::create(&path).expect("a file");
        let first = latencies.from_us.get();
        for latency in [1_501, 1_502, 1_502] {
            latencies.add(&voice, latency);
        }
        // As after a SIGKILL: nobody said anything.
        assert_eq!(unreported(&path, 0), [(first, vec![(1_501, 1), (1_502, 2)])]);
        let next = first + INTERVAL_US;
        latencies.report(&voice, next, false);
        latencies.add(&voice, 99);
        assert_eq!(unreported(&path, next), [(next, vec![(99, 1)])], "the first was reported");
        assert_eq!(unreported(&path, 0).len(), 2, "its report may still be on its way");
        drop(voice);
        writer.join().expect("it ends");
    }

    #[test]
    fn no_latency_is_told_longer_than_it_was() {
        let values: Vec<u64> = (0..10_000).map(|i| 100_000 + i * 13).collect();
        let told = buckets(&values);
        assert!(told.len() < 1_000 && told.iter().map(|b| b.1).sum::<u64>() == 10_000);
        assert!(told.iter().all(|(value, _)| values.contains(value)), "each was measured");
        assert_eq!(told.last(), Some(&(100_000 + 9_999 * 13, 1)));
        assert_eq!(buckets(&[0, 3, 3]), [(0, 1), (3, 2)]);
    }
}
