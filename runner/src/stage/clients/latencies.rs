//! A client's latencies over time.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use crate::client::{
    latency::{step, unreported},
    protocol::{Buckets, LatencySlice},
};

/// The most intervals that are kept: half a day at two a second.
const INTERVALS: usize = 90_000;

/// A member and its life.
type Life = (u16, u16);

/// Latencies as the processes report them, for each reported interval.
#[derive(Debug, Default)]
pub struct Latencies {
    /// Messages of intervals that are no longer kept one by one: when the first and the last was answered, and how
    /// often each latency occurred.
    early: Option<(i64, i64, BTreeMap<u64, u64>)>,
    /// The packed slices of each later interval.
    intervals: VecDeque<Box<[u8]>>,
    /// What was reported since the last sample.
    fresh: Buckets,
    /// The file with the unreported latencies of each life, and up to when it has reported.
    lives: BTreeMap<Life, (PathBuf, i64)>,
}

/// Which messages to measure, in monotonic microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeantMessages {
    /// Messages that were sent at this moment or later.
    SentSince(i64),
    /// Messages that were answered in one of these times (the end exclusive).
    AnsweredIn(Vec<(i64, i64)>),
}

impl MeantMessages {
    pub const ALL: Self = Self::SentSince(i64::MIN);

    /// Whether messages of a slice with this latency are to be measured; none if that is not known.
    fn holds(&self, slice: &LatencySlice, latency_us: u64) -> Option<bool> {
        match self {
            Self::SentSince(since_us) => {
                // The real latency may be a little longer than the reported one.
                let longest = latency_us.saturating_add(step(latency_us) - 1);
                let sent = |at: i64, took: u64| at.saturating_sub_unsigned(took);
                match () {
                    () if sent(slice.from_us, longest) >= *since_us => Some(true),
                    () if sent(slice.to_us, latency_us) < *since_us => Some(false),
                    () => None,
                }
            }
            Self::AnsweredIn(times) => {
                let mut touched =
                    times.iter().filter(|(from, to)| slice.from_us < *to && *from <= slice.to_us);
                let whole = |(from, to): &(i64, i64)| *from <= slice.from_us && slice.to_us < *to;
                match touched.clone().next() {
                    None => Some(false),
                    Some(_) => touched.any(whole).then_some(true),
                }
            }
        }
    }
}

impl Latencies {
    /// A life begins, with the file for what it has not reported yet.
    pub fn begin(&mut self, life: Life, path: PathBuf) {
        self.lives.insert(life, (path, i64::MIN));
    }

    /// Adds what a life reports up to a moment.
    pub fn add(&mut self, life: Life, to_us: i64, slices: &[LatencySlice]) {
        if let Some((_, reported_us)) = self.lives.get_mut(&life) {
            *reported_us = to_us;
        }
        self.fresh.extend(slices.iter().flat_map(|slice| &slice.buckets));
        self.intervals.push_back(pack(slices));
        if self.intervals.len() > INTERVALS
            && let Some(first) = self.intervals.pop_front()
        {
            unpack(&first).into_iter().for_each(|slice| self.join_early(slice));
        }
    }

    fn join_early(&mut self, slice: LatencySlice) {
        let (LatencySlice { from_us, to_us, buckets }, new) = (slice, BTreeMap::new());
        let early = self.early.get_or_insert((from_us, to_us, new));
        (early.0, early.1) = (early.0.min(from_us), early.1.max(to_us));
        buckets.into_iter().for_each(|(value, count)| *early.2.entry(value).or_default() += count);
    }

    /// p50, p99 and maximum in milliseconds of what was reported since the last call.
    pub fn since_last_sample(&mut self) -> Option<[f64; 3]> {
        let measured = Measured::of(std::mem::take(&mut self.fresh), Buckets::new());
        (measured.messages > 0)
            .then(|| [0.5, 0.99, 1.0].map(|share| measured.at(share) as f64 / 1_000.0))
    }

    /// Latencies of some messages: reported ones, and those that the processes have not reported yet, or never will
    /// because they were killed.
    pub fn of(&self, meant: &MeantMessages) -> Measured {
        let (mut sure, mut doubtful) = (Buckets::new(), Buckets::new());
        let lives = self.lives.values();
        let open = lives.flat_map(|(path, reported_us)| unreported(path, *reported_us));
        let early = self.early.iter().map(|(from_us, to_us, all)| LatencySlice {
            from_us: *from_us,
            to_us: *to_us,
            buckets: all.iter().map(|(value, count)| (*value, *count)).collect(),
        });
        let kept = self.intervals.iter().flat_map(|packed| unpack(packed));
        for slice in early.chain(kept).chain(open) {
            for (value, count) in &slice.buckets {
                match meant.holds(&slice, *value) {
                    Some(true) => sure.push((*value, *count)),
                    Some(false) => {}
                    None => doubtful.push((*value, *count)),
                }
            }
        }
        Measured::of(sure, doubtful)
    }
}

/// The measured latencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// In microseconds, ascending, with how often each occurred, and for how many of these it is not known whether
    /// the message is to be measured.
    values: Vec<(u64, u64, u64)>,
    /// How many messages are certainly to be measured.
    pub messages: u64,
    /// For how many messages that is not known.
    pub doubtful: u64,
}

impl Measured {
    fn of(sure: Buckets, doubtful: Buckets) -> Self {
        let total = |all: &Buckets| all.iter().map(|(_, count)| count).sum();
        let (messages, in_doubt) = (total(&sure), total(&doubtful));
        let mut values: Vec<_> = sure.into_iter().map(|(value, count)| (value, count, 0)).collect();
        values.extend(doubtful.into_iter().map(|(value, count)| (value, 0, count)));
        values.sort_unstable();
        Self { values, messages, doubtful: in_doubt }
    }

    /// The latency, in microseconds, that this share of the certain messages did not exceed: a measured value.
    pub fn at(&self, share: f64) -> u64 {
        let wanted = wanted(share, self.messages);
        let mut seen = 0;
        let reached = self.values.iter().find(|(_, count, _)| {
            seen += count;
            seen >= wanted
        });
        reached.or(self.values.last()).map_or(0, |(value, ..)| *value)
    }

    /// The least and the greatest value of the same, depending on which doubtful messages count.
    pub fn between(&self, share: f64) -> (u64, u64) {
        // The least: only doubtful messages up to it count.
        let (mut sure, mut doubtful) = (0, 0);
        let least = self.values.iter().find(|(_, count, unknown)| {
            (sure, doubtful) = (sure + count, doubtful + unknown);
            sure + doubtful >= wanted(share, self.messages + doubtful)
        });
        // The greatest: only doubtful messages from it on count.
        let (mut below, mut doubtful) = (self.messages, 0);
        let most = self.values.iter().rev().find(|(_, count, unknown)| {
            (below, doubtful) = (below - count, doubtful + unknown);
            below < wanted(share, self.messages + doubtful)
        });
        let value = |found: Option<&(u64, u64, u64)>| found.map_or(0, |(value, ..)| *value);
        (value(least), value(most))
    }
}

/// How many messages a share of all is.
fn wanted(share: f64, messages: u64) -> u64 {
    // Rounding must not ask for one message more than there are, nor for none.
    (share * messages as f64 - 1e-6).ceil().max(1.0) as u64
}

/// Packs with seven bits a byte: for each slice its begin as the distance to the end of the one before, its length,
/// the number of values; then the values, ascending, each as the distance to the one before, with its count.
fn pack(slices: &[LatencySlice]) -> Box<[u8]> {
    let pairs: usize = slices.iter().map(|slice| slice.buckets.len()).sum();
    let mut bytes = Vec::with_capacity(pairs * 3 + slices.len() * 7);
    let mut put = |mut number: u64| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut at = 0_i64;
    for slice in slices {
        put(slice.from_us.wrapping_sub(at).cast_unsigned());
        put(slice.to_us.wrapping_sub(slice.from_us).cast_unsigned());
        put(slice.buckets.len() as u64);
        at = slice.to_us;
        let mut last = 0;
        for (value, count) in &slice.buckets {
            put(value.wrapping_sub(last));
            put(*count);
            last = *value;
        }
    }
    bytes.into_boxed_slice()
}

fn unpack(bytes: &[u8]) -> Vec<LatencySlice> {
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
    let mut at = 0_i64;
    std::iter::from_fn(|| {
        let from_us = at.wrapping_add(get()?.cast_signed());
        let to_us = from_us.wrapping_add(get()?.cast_signed());
        at = to_us;
        let (count, mut last) = (get()?, 0_u64);
        let value = |_| {
            last = last.wrapping_add(get()?);
            Some((last, get()?))
        };
        let buckets = (0..count).map_while(value).collect();
        Some(LatencySlice { from_us, to_us, buckets })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Life = (1, 1);

    fn slice(from_us: i64, to_us: i64, buckets: &[(u64, u64)]) -> LatencySlice {
        LatencySlice { from_us, to_us, buckets: buckets.to_vec() }
    }

    /// 250 latencies from 2 to 10 ms, as half a second of 500 messages a second has.
    fn busy(interval: i64) -> Vec<LatencySlice> {
        let part = |at: i64| {
            let value =
                |i: i64| (2_000 + (i * 7_919 + interval * 104_729).unsigned_abs() % 8_000, 1);
            let mut all: Buckets = (at * 10..at * 10 + 10).map(value).collect();
            all.sort_unstable();
            let from_us = interval * 500_000 + at * 20_000;
            slice(from_us, from_us + 18_000, &all)
        };
        (0..25).map(part).collect()
    }

    #[test]
    fn what_was_reported_is_judged_as_it_was_measured() {
        let mut latencies = Latencies::default();
        latencies.add(P, 2_000, &[slice(1_000, 1_999, &[(1_234, 99), (98_765, 1)])]);
        latencies.add(P, 3_000, &[slice(2_000, 2_900, &[(7, 1)])]);
        let in_time = |from, to| latencies.of(&MeantMessages::AnsweredIn(vec![(from, to)]));
        let first = in_time(0, 2_000);
        assert_eq!((first.messages, first.doubtful), (100, 0));
        let at = [0.5, 0.99, 0.999, 1.0].map(|share| first.at(share));
        assert_eq!(at, [1_234, 1_234, 98_765, 98_765]);
        assert_eq!(first.between(0.5), (1_234, 1_234));
        assert_eq!(in_time(0, 3_000).messages, 101);
        assert_eq!(latencies.of(&MeantMessages::ALL).messages, 101);
        assert_eq!(in_time(3_000, 4_000).messages, 0);
    }

    #[test]
    fn of_more_intervals_than_are_kept_no_message_is_left_out() {
        let mut latencies = Latencies::default();
        let more = INTERVALS + 100;
        for at in (0..).take(more) {
            latencies.add(P, at, &[slice(at * 10, at * 10 + 5, &[(at.unsigned_abs() % 7, 2)])]);
        }
        let of = |meant| {
            let measured = latencies.of(&meant);
            (measured.messages, measured.doubtful)
        };
        let all = 2 * more as u64;
        assert_eq!(of(MeantMessages::ALL), (all, 0));
        assert_eq!(latencies.of(&MeantMessages::ALL).at(1.0), 6);
        // The first hundred are one slice: on a border within it they are in doubt.
        assert_eq!(of(MeantMessages::AnsweredIn(vec![(1_000, i64::MAX)])), (all - 200, 0));
        assert_eq!(of(MeantMessages::AnsweredIn(vec![(500, i64::MAX)])), (all - 200, 200));
        assert_eq!(of(MeantMessages::AnsweredIn(vec![(0, 500)])), (0, 200));
    }

    #[test]
    fn what_was_answered_around_a_border_is_on_no_side_of_it() {
        let one = slice(100, 200, &[]);
        let in_times =
            |times: &[(i64, i64)]| MeantMessages::AnsweredIn(times.to_vec()).holds(&one, 5_000);
        assert_eq!(in_times(&[(100, 201)]), Some(true));
        assert_eq!(in_times(&[(0, 50), (90, 300)]), Some(true));
        assert_eq!(in_times(&[(100, 200)]), None, "the last was answered at the end");
        assert_eq!(in_times(&[(101, 900)]), None);
        assert_eq!(in_times(&[(120, 130)]), None);
        assert_eq!(in_times(&[(201, 900), (0, 100)]), Some(false));
        assert_eq!(in_times(&[]), Some(false));
    }

    #[test]
    fn since_asks_when_a_message_was_sent_not_when_it_was_answered() {
        let one = slice(10_100, 10_200, &[]);
        let since = |at, latency| MeantMessages::SentSince(at).holds(&one, latency);
        assert_eq!(since(10_000, 50), Some(true));
        assert_eq!(since(10_000, 100), Some(true), "the first was sent at the moment");
        assert_eq!(since(10_000, 150), None);
        assert_eq!(since(10_000, 200), None);
        assert_eq!(since(10_000, 201), Some(false), "the last was sent before");
        // 9,129 is reported as 9,120.
        assert_eq!(since(971, 9_120), Some(true));
        assert_eq!(since(972, 9_120), None);
        assert_eq!(MeantMessages::ALL.holds(&one, u64::MAX / 2), Some(true));
    }

    /// All that a share can be, by trying every choice of the doubtful messages.
    fn tried(sure: &[u64], doubtful: &[u64], share: f64) -> (u64, u64) {
        let choices = (0..1_u32 << doubtful.len()).map(|choice| {
            let chosen = doubtful.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1);
            let all = chosen.map(|(_, value)| value).chain(sure).map(|value| (*value, 1));
            Measured::of(all.collect(), Buckets::new()).at(share)
        });
        let all: Vec<u64> = choices.collect();
        (*all.iter().min().expect("one"), *all.iter().max().expect("one"))
    }

    #[test]
    fn a_share_lies_between_what_every_choice_of_the_doubtful_messages_gives() {
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for _ in 0..500 {
            let (sure, doubtful) = (1 + next(6), next(7));
            let sure: Vec<u64> = (0..sure).map(|_| next(10)).collect();
            let doubtful: Vec<u64> = (0..doubtful).map(|_| next(10)).collect();
            let ones = |all: &[u64]| all.iter().map(|value| (*value, 1)).collect();
            let measured = Measured::of(ones(&sure), ones(&doubtful));
            for share in [0.5, 0.9, 0.99, 1.0] {
                let expected = tried(&sure, &doubtful, share);
                assert_eq!(measured.between(share), expected, "{sure:?} {doubtful:?} {share}");
                let at = measured.at(share);
                assert!(expected.0 <= at && at <= expected.1);
            }
        }
    }

    #[test]
    fn packed_slices_are_the_same_again() {
        let all = vec![
            slice(5, 9, &[(0, 1), (1, 300), (127, 1), (128, 1), (u64::MAX, u64::MAX)]),
            slice(i64::MIN, i64::MAX, &[]),
            slice(10, 10, &[(3, 1)]),
        ];
        assert_eq!(unpack(&pack(&all)), all);
        assert!(unpack(&[0x80; 30]).is_empty(), "garbage ends");
        assert_eq!(unpack(&[1, 1, 0x7f, 1]).len(), 1, "and so does a slice that is cut off");
    }

    #[test]
    fn a_sample_is_what_came_since_the_one_before() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.since_last_sample(), None);
        latencies.add(P, 1, &[slice(0, 1, &[(1_500, 2)])]);
        latencies.add(P, 2, &[slice(1, 2, &[(2_500, 2)])]);
        assert_eq!(latencies.since_last_sample(), Some([1.5, 2.5, 2.5]));
        assert_eq!(latencies.since_last_sample(), None);
    }

    #[test]
    fn an_hour_of_a_busy_client_is_kept_in_seven_megabytes() {
        let mut latencies = Latencies::default();
        for interval in 0..7_200 {
            latencies.add(P, interval + 1, &busy(interval));
            latencies.since_last_sample();
        }
        let bytes: usize = latencies.intervals.iter().map(|packed| packed.len() + 16).sum();
        assert!(bytes < 7_000_000, "{bytes} bytes");
        assert_eq!(latencies.of(&MeantMessages::ALL).messages, 7_200 * 250);
    }
}
