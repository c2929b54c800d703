//! A client's latencies over time.

use std::collections::VecDeque;

use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2Serializer},
};

/// Intervals that are kept: half a day's, at two a second.
const INTERVALS: usize = 90_000;
/// Significant digits of what is kept, so that a long run does not fill the memory: within 1 %.
const DIGITS: u8 = 2;

/// Latencies as the processes report them, a histogram for each reported interval.
#[derive(Debug, Default)]
pub struct Latencies {
    /// When each interval began (monotonic microseconds), and its histogram as it is packed.
    intervals: VecDeque<(i64, Box<[u8]>)>,
    /// What came since the last sample, as it was reported.
    fresh: Vec<(u64, u64)>,
}

impl Latencies {
    /// Takes in an interval: latencies in microseconds, and how often each occurred.
    pub fn add(&mut self, from_us: i64, buckets: &[(u64, u64)]) {
        self.fresh.extend_from_slice(buckets);
        let packed = gather(DIGITS, buckets).and_then(|histogram| pack(&histogram));
        self.intervals.extend(packed.map(|packed| (from_us, packed)));
        if self.intervals.len() > INTERVALS {
            self.intervals.pop_front();
        }
    }

    /// p50, p99 and maximum in milliseconds of what came since the last call.
    pub fn since_last_sample(&mut self) -> Option<[f64; 3]> {
        let histogram = gather(3, &std::mem::take(&mut self.fresh))?;
        let ms = |us: u64| us as f64 / 1_000.0;
        Some([
            ms(histogram.value_at_quantile(0.5)),
            ms(histogram.value_at_quantile(0.99)),
            ms(histogram.max()),
        ])
    }

    /// Latencies in microseconds, within 1 %, of the intervals that began in a range of time.
    #[must_use]
    pub fn between(&self, from_us: i64, to_us: i64) -> Option<Histogram<u64>> {
        let mut all = Histogram::new(DIGITS).ok()?;
        let mut unpacker = Deserializer::new();
        for (_, packed) in self.intervals.iter().filter(|(at, _)| (from_us..to_us).contains(at)) {
            let one: Histogram<u64> = unpacker.deserialize(&mut &packed[..]).ok()?;
            all.add(one).ok()?;
        }
        (!all.is_empty()).then_some(all)
    }
}

fn gather(digits: u8, buckets: &[(u64, u64)]) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new(digits).ok()?;
    for (value, count) in buckets {
        // Values beyond the histogram's range do not occur: it grows.
        let _ = histogram.record_n(*value, *count);
    }
    (!histogram.is_empty()).then_some(histogram)
}

fn pack(histogram: &Histogram<u64>) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(bytes.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 250 latencies from 2 to 10 ms, as half a second of 500 messages a second has.
    fn busy(interval: u64) -> Vec<(u64, u64)> {
        (0..250).map(|i| (2_000 + (i * 7_919 + interval * 104_729) % 8_000, 1)).collect()
    }

    #[test]
    fn what_was_reported_is_found_again_within_a_percent() {
        let mut latencies = Latencies::default();
        latencies.add(1_000, &[(1_234, 99), (98_765, 1)]);
        latencies.add(2_000, &[(7, 1)]);
        let first = latencies.between(0, 2_000).expect("one interval");
        assert_eq!(first.len(), 100);
        for (quantile, value) in [(0.5, 1_234.0), (1.0, 98_765.0)] {
            let found = first.value_at_quantile(quantile) as f64;
            assert!((found / value - 1.0).abs() < 0.01, "{found} for {value}");
        }
        assert_eq!(latencies.between(0, 3_000).expect("both").len(), 101);
        assert!(latencies.between(3_000, 4_000).is_none());
    }

    #[test]
    fn a_sample_is_what_came_since_the_one_before() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.since_last_sample(), None);
        latencies.add(0, &[(1_500, 2)]);
        latencies.add(1, &[(2_500, 2)]);
        let [p50, p99, max] = latencies.since_last_sample().expect("four");
        assert!((1.49..1.51).contains(&p50) && (2.49..2.51).contains(&p99) && max >= 2.5);
        assert_eq!(latencies.since_last_sample(), None);
    }

    #[test]
    fn an_hour_of_a_busy_client_is_kept_in_three_megabytes() {
        let mut latencies = Latencies::default();
        for interval in 0..7_200 {
            latencies.add(interval, &busy(interval.unsigned_abs()));
            latencies.since_last_sample();
        }
        let bytes: usize = latencies.intervals.iter().map(|(_, packed)| packed.len() + 24).sum();
        assert!(bytes < 3_000_000, "{bytes} bytes");
        assert_eq!(latencies.between(0, 7_200).expect("all").len(), 7_200 * 250);
    }
}
