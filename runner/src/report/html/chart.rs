//! Curves over time as SVG paths, few enough points for any browser.

use std::collections::BTreeMap;

use serde::Serialize;

use super::axis::Axis;
use crate::{event::Sample, record::SuiteRecord, report::text::grouped};

/// Points of one curve at most.
pub const POINTS: usize = 1_800;
/// A gap without reports that is longer than this interrupts a curve.
const GAP_US: i64 = 2_600_000;

/// One chart: curves with one unit.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    pub title: String,
    /// Unit of the values.
    pub unit: String,
    /// The scale's upper end, as text.
    pub top: String,
    pub middle: String,
    pub curves: Vec<Curve>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Its name, e.g. `P`.
    pub name: String,
    /// Number of its colour and dash, from 1.
    pub number: usize,
    /// SVG path in a box of 1000 × 100.
    pub path: String,
    /// The highest value, as text.
    pub peak: String,
    /// For the tooltip: milliseconds since the suite's begin, and value.
    #[serde(skip)]
    pub points: Vec<(i64, f64)>,
}

type Points = Vec<(i64, f64)>;

/// The charts of a suite: acknowledged messages of producers, deliveries of consumers, latency.
/// `points` bounds each curve.
pub fn charts(axis: &Axis<'_>, suite: &SuiteRecord, points: usize) -> Vec<Chart> {
    let mut acked = Vec::new();
    let mut delivered = Vec::new();
    let mut latency = Vec::new();
    let mut failed = Vec::new();
    for (client, samples) in &suite.samples {
        let producer = samples.iter().any(|(_, s)| s.sent > 0 || s.failed > 0);
        let done: Points = samples.iter().map(|(at, s)| (*at, s.done as f64)).collect();
        if producer { &mut acked } else { &mut delivered }.push((client.clone(), done));
        if samples.iter().any(|(_, s)| s.failed > 0) {
            let points = samples.iter().map(|(at, s)| (*at, s.failed as f64)).collect();
            failed.push((format!("{client} failed"), points));
        }
        for (index, name) in [(0, "p50"), (1, "p99")] {
            let points: Points = samples
                .iter()
                .filter_map(|(at, s)| Some((*at, s.latency_ms.as_ref()?[index])))
                .filter(|(_, v)| v.is_finite())
                .collect();
            if !points.is_empty() {
                latency.push((format!("{client} {name}"), points));
            }
        }
    }
    acked.extend(failed);
    let (by_partition, of_partitions) = by_partition(suite);
    let all = [
        ("Acknowledged", "/s", acked),
        (of_partitions.as_str(), "/s", by_partition),
        ("Delivered", "/s", delivered),
        ("Latency", " ms", latency),
    ];
    let shown = all.into_iter().filter(|(_, _, curves)| !curves.is_empty());
    shown.map(|(title, unit, curves)| chart(axis, title, unit, curves, points)).collect()
}

/// Curves of one chart at most, so that each has a colour of its own.
const CURVES: usize = 6;
/// Samples of several clients within this time are of the same second.
const SAME_SECOND_US: i64 = 500_000;

/// What producers had acknowledged on each partition, and the title: of many partitions, those with the fewest
/// messages, which stood still the longest.
fn by_partition(suite: &SuiteRecord) -> (Vec<(String, Points)>, String) {
    let produce = |samples: &&Vec<(i64, Sample)>| samples.iter().any(|(_, s)| s.sent > 0);
    let mut samples: Vec<&(i64, Sample)> =
        suite.samples.values().filter(produce).flatten().collect();
    samples.sort_by_key(|(at, _)| *at);
    let mut curves: BTreeMap<&str, Points> = BTreeMap::new();
    for (at, sample) in samples {
        for (partition, done) in &sample.partitions {
            let points = curves.entry(partition).or_default();
            match points.last_mut().filter(|(last, _)| at - last < SAME_SECOND_US) {
                Some((_, sum)) => *sum += *done as f64,
                None => points.push((*at, *done as f64)),
            }
        }
    }
    let all = curves.len();
    let mut fewest: Vec<(&str, Points)> = curves.into_iter().collect();
    let sum = |points: &Points| points.iter().map(|(_, done)| done).sum::<f64>();
    fewest.sort_by(|(_, a), (_, b)| sum(a).total_cmp(&sum(b)));
    fewest.truncate(CURVES);
    fewest.sort_by_key(|(partition, _)| *partition);
    let title = match all {
        0..=CURVES => "Acknowledged by partition".to_owned(),
        _ => format!("Acknowledged, {CURVES} of {all} partitions: those with the fewest messages"),
    };
    (fewest.into_iter().map(|(partition, points)| (partition.to_owned(), points)).collect(), title)
}

fn chart(
    axis: &Axis<'_>,
    title: &str,
    unit: &str,
    curves: Vec<(String, Points)>,
    points: usize,
) -> Chart {
    let highest = curves.iter().flat_map(|(_, p)| p).map(|p| p.1).fold(0.0, f64::max);
    let top = nice(highest);
    let curves = (1..).zip(curves).map(|(number, (name, all))| {
        let peak = all.iter().map(|p| p.1).fold(0.0, f64::max);
        let few = downsample(all, points);
        Curve {
            name,
            number,
            path: path(axis, &few, top),
            peak: words(peak, unit),
            points: few.iter().map(|(at, v)| ((at - axis.from_us) / 1_000, round(*v))).collect(),
        }
    });
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        top: words(top, unit),
        middle: words(top / 2.0, unit),
        curves: curves.collect(),
    }
}

/// At most `limit` points: the lowest and the highest of each time span, so that neither a
/// short gap nor a short burst is lost.
pub fn downsample(points: Points, limit: usize) -> Points {
    if points.len() <= limit.max(4) {
        return points;
    }
    let bucket = points.len().div_ceil(limit / 2);
    let mut few = Vec::with_capacity(limit);
    for chunk in points.chunks(bucket) {
        let low = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut pair: Points = low.into_iter().chain(high).copied().collect();
        pair.sort_by_key(|p| p.0);
        pair.dedup();
        few.extend(pair);
    }
    few
}

fn path(axis: &Axis<'_>, points: &Points, top: f64) -> String {
    let spacing = points.windows(2).map(|w| w[1].0 - w[0].0).min().unwrap_or(0);
    let gap = GAP_US.max(spacing.saturating_mul(6));
    let mut path = String::new();
    let mut last = i64::MIN / 2;
    for (at, value) in points {
        let (x, y) = (axis.percent(*at) * 10.0, 100.0 - (value / top).clamp(0.0, 1.0) * 100.0);
        let pen = if at - last > gap { 'M' } else { 'L' };
        path.push_str(&format!("{pen}{x:.1} {y:.1}"));
        last = *at;
    }
    path
}

/// The next number of the row 1, 2, 5, 10, 20 ... at or above.
fn nice(value: f64) -> f64 {
    if !value.is_finite() || value <= 1.0 {
        return 1.0;
    }
    let ten = 10f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.5]
        .map(|m| m * ten)
        .into_iter()
        .find(|n| *n >= value)
        .unwrap_or(10.0 * ten)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A value with its unit, short enough for a scale.
fn words(value: f64, unit: &str) -> String {
    match value {
        v if unit == " ms" && v >= 1_000.0 => format!("{} s", round(v / 1_000.0)),
        v if v >= 1_000_000.0 => format!("{:.1} M{unit}", v / 1_000_000.0),
        v if v >= 10.0 || v.fract() == 0.0 => format!("{}{unit}", grouped(v.round() as u64)),
        v => format!("{v:.1}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_silence_nor_burst_is_lost() {
        let mut all: Points = (0..18_000).map(|n| (n, 500.0)).collect();
        all[7_003].1 = 0.0;
        all[12_345].1 = 9_999.0;
        let few = downsample(all, POINTS);
        assert!(few.len() <= POINTS && few.len() > 100, "{}", few.len());
        assert!(few.contains(&(7_003, 0.0)) && few.contains(&(12_345, 9_999.0)));
        assert!(few.is_sorted_by_key(|p| p.0));
    }

    #[test]
    fn values_read_well() {
        let read = [(0.0, "/s"), (7_500.0, "/s"), (2.5, " ms"), (19_060.0, " ms"), (3e6, "/s")];
        let read = read.map(|(value, unit)| words(value, unit));
        assert_eq!(read, ["0/s", "7,500/s", "2.5 ms", "19.1 s", "3.0 M/s"]);
    }
    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!([0.0, 3.0, 101.0, 499.0, 501.0].map(nice), [1.0, 3.0, 150.0, 500.0, 750.0]);
        assert_eq!(nice(f64::NAN), 1.0);
    }
}
