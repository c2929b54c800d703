//! A client's latencies: those of the current interval are kept in a file that survives SIGKILL, then reported.

use std::{
    cell::Cell,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    protocol::{Buckets, ClientReport, LatencySlice},
    voice::Voice,
};
use crate::history::{HistoryError, Words, now_us};

/// How often latencies are reported.
const INTERVAL_US: i64 = 500_000;
/// The most messages of one interval: with more it ends early.
const ROOM: usize = 65_536;
/// Words of one interval: when it began, how many messages, and of each when it was answered and its latency.
const SLOT: usize = 2 + 2 * ROOM;
/// The most different latencies of an interval that are reported exactly.
const EXACT: usize = 1_000;
/// An interval is reported in slices of this duration, in microseconds: within a slice it is not known when each
/// message was answered.
const SLICE_US: i64 = 20_000;
/// The same if there are so many messages that latencies are not reported exactly.
const COARSE_SLICE_US: i64 = 100_000;

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

    /// A message was answered at `at_us` that was to be sent at `sent_us`.
    pub(super) fn add(&self, voice: &Voice, at_us: i64, sent_us: i64) {
        let (len, slot) = (self.len.get(), self.slot());
        let latency_us = u64::try_from(at_us - sent_us).unwrap_or(0);
        slot[2 + 2 * len].store(at_us.cast_unsigned(), Ordering::Relaxed);
        slot[3 + 2 * len].store(latency_us, Ordering::Relaxed);
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
        let slices = slices(&answers(self.slot()));
        voice.say(ClientReport::Latency { from_us, to_us: now, slices });
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

/// When each message of an interval was answered, and its latency.
fn answers(slot: &[AtomicU64]) -> Vec<(i64, u64)> {
    let count = slot[1].load(Ordering::Acquire).min(ROOM as u64) as usize;
    let of = |pair: &[AtomicU64]| {
        let [at, latency] = [0, 1].map(|i| pair[i].load(Ordering::Relaxed));
        (at.cast_signed(), latency)
    };
    slot[2..2 + 2 * count].chunks_exact(2).map(of).collect()
}

/// The answers of an interval, in slices.
fn slices(answers: &[(i64, u64)]) -> Vec<LatencySlice> {
    let shorter = shorter(answers.iter().map(|(_, latency)| *latency).collect());
    let length = if shorter.is_some() { COARSE_SLICE_US } else { SLICE_US };
    // The shortest of those with which it is one.
    let reported = |latency: u64| match &shorter {
        Some(all) => all[all.partition_point(|one| *one <= latency).saturating_sub(1)],
        None => latency,
    };
    let slice = |of: &[(i64, u64)]| LatencySlice {
        from_us: of.iter().map(|(at, _)| *at).min().unwrap_or_default(),
        to_us: of.iter().map(|(at, _)| *at).max().unwrap_or_default(),
        buckets: counted(of.iter().map(|(_, latency)| reported(*latency)).collect()),
    };
    let mut all = Vec::new();
    let mut rest = answers;
    while let Some((first, _)) = rest.first() {
        let len = rest.iter().take_while(|(at, _)| *at - first < length).count().max(1);
        let (of, others) = rest.split_at(len);
        all.push(slice(of));
        rest = others;
    }
    all
}

/// The values that represent all, ascending; none if each is reported exactly. If there are very many
/// different values, those with the same first three digits are reported as the shortest of them; the longest
/// of all is reported exactly.
fn shorter(mut values: Vec<u64>) -> Option<Vec<u64>> {
    values.sort_unstable();
    values.dedup();
    let most = *values.last()?;
    if values.len() <= EXACT {
        return None;
    }
    values.dedup_by(|value, first| *value != most && cut(*first) == cut(*value));
    Some(values)
}

/// Three digits of a value.
fn cut(value: u64) -> u64 {
    value / step(value) * step(value)
}

/// The size of the third digit of a value: the real value is less than this longer than the reported one.
pub fn step(value: u64) -> u64 {
    10_u64.pow(value.checked_ilog10().unwrap_or(0).saturating_sub(2))
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

/// The latencies in a client's file, of intervals that began at `since_us` or later. A client that has not begun has
/// no file.
pub fn unreported(path: &Path, since_us: i64) -> Vec<LatencySlice> {
    if !path.exists() {
        return Vec::new();
    }
    let Ok(words) = Words::open(path, 2 * SLOT) else { return Vec::new() };
    let slots = words.get().chunks_exact(SLOT);
    let begun = |slot: &&[AtomicU64]| slot[0].load(Ordering::Acquire).cast_signed() >= since_us;
    slots.filter(begun).flat_map(|slot| slices(&answers(slot))).collect()
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
        let slice = |from_us, to_us, buckets: &[(u64, u64)]| LatencySlice {
            from_us,
            to_us,
            buckets: buckets.to_vec(),
        };
        for (at, latency) in [(10, 1_501), (20, 1_502), (30, 1_502), (9 + SLICE_US, 5)] {
            latencies.add(&voice, first + at, first + at - latency);
        }
        // As after a SIGKILL: nothing was reported.
        let one = slice(first + 10, first + 9 + SLICE_US, &[(5, 1), (1_501, 1), (1_502, 2)]);
        assert_eq!(unreported(&path, 0), [one]);
        let next = first + INTERVAL_US;
        latencies.report(&voice, next, false);
        latencies.add(&voice, next + 10, next + 10 - 99);
        let other = slice(next + 10, next + 10, &[(99, 1)]);
        assert_eq!(unreported(&path, next), [other], "the first was reported");
        assert_eq!(unreported(&path, 0).len(), 2, "its report may still be on its way");
        drop(voice);
        writer.join().expect("it ends");
    }

    #[test]
    fn no_latency_is_told_longer_than_it_was() {
        let latency = |i: u64| 100_000 + i * 13;
        let answers: Vec<(i64, u64)> =
            (0..10_000).map(|i: u64| (i.cast_signed() * 50, latency(i))).collect();
        let reported = slices(&answers);
        let buckets: Buckets = reported.iter().flat_map(|slice| slice.buckets.clone()).collect();
        assert!(buckets.len() < 1_000 && buckets.iter().map(|b| b.1).sum::<u64>() == 10_000);
        let measured = |value: u64| answers.iter().any(|(_, one)| *one == value);
        assert!(buckets.iter().all(|(value, _)| measured(*value)), "each was measured");
        for slice in &reported {
            // Each was reported as at most one step shorter than it was.
            let own = answers.iter().filter(|(at, _)| (slice.from_us..=slice.to_us).contains(at));
            let longest = own.map(|(_, value)| *value).max().expect("some");
            let last = slice.buckets.last().expect("some").0;
            assert!(last <= longest && longest < last + step(last), "{last} {longest}");
        }
        assert_eq!(buckets.last(), Some(&(latency(9_999), 1)));
    }

    #[test]
    fn within_a_slice_are_answers_of_a_short_time() {
        let few: Vec<(i64, u64)> = (0..500).map(|i| (i * 1_000, 7)).collect();
        let all = slices(&few);
        assert_eq!(all.len(), 25);
        assert!(all.iter().all(|slice| slice.to_us - slice.from_us < SLICE_US));
        assert_eq!(all[1], LatencySlice { from_us: 20_000, to_us: 39_000, buckets: vec![(7, 20)] });
        let many: Vec<(i64, u64)> = (0..5_000).map(|i: i64| (i * 100, i.unsigned_abs())).collect();
        let all = slices(&many);
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|slice| slice.to_us - slice.from_us < COARSE_SLICE_US));
        assert!(slices(&[]).is_empty());
    }
}
