//! A client's latencies over time.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use crate::client::{latency::unreported, protocol::Buckets};

/// Intervals that are kept: half a day's, at two a second.
const INTERVALS: usize = 90_000;

/// A member and its life.
type Life = (u16, u16);

/// Latencies as the processes report them, for each reported interval.
#[derive(Debug, Default)]
pub struct Latencies {
    /// When each interval began (monotonic microseconds), and its latencies as they are packed.
    intervals: VecDeque<(i64, Box<[u8]>)>,
    /// What came since the last sample, as it was reported.
    fresh: Buckets,
    /// Where the unreported ones of each life are, and up to when it has reported.
    lives: BTreeMap<Life, (PathBuf, i64)>,
}

impl Latencies {
    /// A life begins, and keeps here what it has not reported yet.
    pub fn begin(&mut self, life: Life, path: PathBuf) {
        self.lives.insert(life, (path, i64::MIN));
    }

    /// Takes in an interval: latencies in microseconds, and how often each occurred.
    pub fn add(&mut self, life: Life, from_us: i64, to_us: i64, buckets: &[(u64, u64)]) {
        if let Some((_, reported_us)) = self.lives.get_mut(&life) {
            *reported_us = to_us;
        }
        self.fresh.extend_from_slice(buckets);
        self.intervals.push_back((from_us, pack(buckets)));
        if self.intervals.len() > INTERVALS {
            self.intervals.pop_front();
        }
    }

    /// p50, p99 and maximum in milliseconds of what came since the last call.
    pub fn since_last_sample(&mut self) -> Option<[f64; 3]> {
        let measured = Measured::of(std::mem::take(&mut self.fresh))?;
        Some([0.5, 0.99, 1.0].map(|share| measured.at(share) as f64 / 1_000.0))
    }

    /// Latencies in microseconds of the intervals that began in one of some ranges of time: of those that were reported,
    /// and of those that the processes have not reported yet, or never will, since they were killed.
    pub fn between(&self, times: &[(i64, i64)]) -> Option<Measured> {
        let meant = |at: i64| times.iter().any(|(from, to)| (*from..*to).contains(&at));
        let reported = self.intervals.iter().filter(|(at, _)| meant(*at));
        let mut all: Buckets = reported.flat_map(|(_, packed)| unpack(packed)).collect();
        for (path, reported_us) in self.lives.values() {
            let open = unreported(path, *reported_us).into_iter().filter(|(at, _)| meant(*at));
            all.extend(open.flat_map(|(_, buckets)| buckets));
        }
        Measured::of(all)
    }
}

/// Latencies that were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// In microseconds, ascending, with how often each occurred.
    values: Buckets,
    pub messages: u64,
}

impl Measured {
    fn of(mut values: Buckets) -> Option<Self> {
        values.sort_unstable();
        let messages = values.iter().map(|(_, count)| count).sum();
        (messages > 0).then_some(Self { values, messages })
    }

    /// The latency, in microseconds, that this share of the messages did not exceed: one that was measured.
    pub fn at(&self, share: f64) -> u64 {
        // Rounding must not ask for one message more than there are, nor for none.
        let wanted = (share * self.messages as f64 - 1e-6).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = self.values.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        reached.or(self.values.last()).map_or(0, |(value, _)| *value)
    }
}

/// Ascending values as the distance to the one before, and counts, seven bits a byte.
fn pack(buckets: &[(u64, u64)]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(buckets.len() * 3);
    let mut put = |mut number: u64| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut last = 0;
    for (value, count) in buckets {
        put(value.wrapping_sub(last));
        put(*count);
        last = *value;
    }
    bytes.into_boxed_slice()
}

fn unpack(bytes: &[u8]) -> Buckets {
    let mut bytes = bytes.iter();
    let mut get = || {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let byte = u64::from(*bytes.next()?);
            number |= (byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    };
    let mut last = 0_u64;
    std::iter::from_fn(|| {
        last = last.wrapping_add(get()?);
        Some((last, get()?))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Life = (1, 1);

    /// 250 latencies from 2 to 10 ms, as half a second of 500 messages a second has.
    fn busy(interval: u64) -> Buckets {
        let mut all: Buckets =
            (0..250).map(|i| (2_000 + (i * 7_919 + interval * 104_729) % 8_000, 1)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn what_was_reported_is_judged_as_it_was_measured() {
        let mut latencies = Latencies::default();
        latencies.add(P, 1_000, 2_000, &[(1_234, 99), (98_765, 1)]);
        latencies.add(P, 2_000, 3_000, &[(7, 1)]);
        let first = latencies.between(&[(0, 2_000)]).expect("one interval");
        assert_eq!(first.messages, 100);
        let at = [0.5, 0.99, 0.999, 1.0].map(|share| first.at(share));
        assert_eq!(at, [1_234, 1_234, 98_765, 98_765]);
        assert_eq!(latencies.between(&[(0, 3_000)]).expect("both").messages, 101);
        assert!(latencies.between(&[(3_000, 4_000)]).is_none());
    }

    #[test]
    fn packed_values_are_the_same_again() {
        let all = vec![(0, 1), (1, 300), (127, 1), (128, 1), (u64::MAX, u64::MAX)];
        assert_eq!(unpack(&pack(&all)), all);
        assert!(unpack(&[0x80; 30]).is_empty(), "garbage ends");
    }

    #[test]
    fn a_sample_is_what_came_since_the_one_before() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.since_last_sample(), None);
        latencies.add(P, 0, 1, &[(1_500, 2)]);
        latencies.add(P, 1, 2, &[(2_500, 2)]);
        assert_eq!(latencies.since_last_sample(), Some([1.5, 2.5, 2.5]));
        assert_eq!(latencies.since_last_sample(), None);
    }

    #[test]
    fn an_hour_of_a_busy_client_is_kept_in_six_megabytes() {
        let mut latencies = Latencies::default();
        for interval in 0..7_200 {
            latencies.add(P, interval, interval + 1, &busy(interval.unsigned_abs()));
            latencies.since_last_sample();
        }
        let bytes: usize = latencies.intervals.iter().map(|(_, packed)| packed.len() + 24).sum();
        assert!(bytes < 6_000_000, "{bytes} bytes");
        assert_eq!(latencies.between(&[(0, 7_200)]).expect("all").messages, 7_200 * 250);
    }
}
