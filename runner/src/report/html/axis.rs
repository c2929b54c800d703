//! The time axis of a suite: moments to percent of its width, and to words.

use crate::record::SuiteRecord;

/// A suite's time from its begin to its end.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'a> {
    suite: &'a SuiteRecord,
    /// Begin, monotonic microseconds.
    pub from_us: i64,
    /// Length in microseconds, at least one.
    pub span_us: i64,
}

/// Distances between two ticks, in seconds.
const STEPS: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600];
/// The approximate number of ticks.
const TICKS: i64 = 9;

impl<'a> Axis<'a> {
    /// The axis of a suite.
    pub fn new(suite: &'a SuiteRecord) -> Self {
        let span_us = (suite.until_us() - suite.started_us).max(1_000_000);
        Self { suite, from_us: suite.started_us, span_us }
    }

    /// The position of a moment, 0 to 100, three decimals.
    pub fn percent(&self, at_us: i64) -> f64 {
        let part = (at_us - self.from_us) as f64 / self.span_us as f64;
        (part.clamp(0.0, 1.0) * 100_000.0).round() / 1_000.0
    }

    /// Left edge and width of a stretch.
    pub fn stretch(&self, from_us: i64, until_us: Option<i64>) -> (f64, f64) {
        let left = self.percent(from_us);
        let right = until_us.map_or(100.0, |at| self.percent(at));
        (left, ((right - left).max(0.0) * 1_000.0).round() / 1_000.0)
    }

    /// `+12.4 s`, `+2:05.1`, since the suite's begin.
    pub fn offset(&self, at_us: i64) -> String {
        let tenths = (at_us - self.from_us).div_euclid(100_000);
        let (sign, tenths) = if tenths < 0 { ('−', -tenths) } else { ('+', tenths) };
        if tenths < 600 {
            return format!("{sign}{}.{} s", tenths / 10, tenths % 10);
        }
        let (minutes, rest) = (tenths / 600, tenths % 600);
        format!("{sign}{minutes}:{:02}.{}", rest / 10, rest % 10)
    }

    /// `12:00:09.900`, UTC.
    pub fn clock(&self, at_us: i64) -> String {
        self.suite.wall(at_us).strftime("%H:%M:%S.%3f").to_string()
    }

    pub fn moment(&self, at_us: i64) -> String {
        format!("{} ({})", self.offset(at_us), self.clock(at_us))
    }

    /// Ticks: percent and label.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let seconds = self.span_us / 1_000_000;
        let step = STEPS.into_iter().find(|s| seconds / s <= TICKS).unwrap_or(seconds / TICKS + 1);
        let label = |s: i64| match s {
            0..60 => format!("{s} s"),
            60..3_600 => format!("{}:{:02}", s / 60, s % 60),
            _ => format!("{}:{:02}:{:02}", s / 3_600, s % 3_600 / 60, s % 60),
        };
        // A tick at the very end would have its label outside.
        let last = seconds - step / 4;
        let at = |s: i64| (self.percent(self.from_us + s * 1_000_000), label(s));
        (0..).map(|n| n * step).take_while(|s| *s <= last.max(0)).map(at).collect()
    }
}
