//! Selects the most useful log lines, with their times, within a size limit.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

use crate::report::{logs::LogFile, text::clean};

/// Longest line that is kept, in bytes.
const LINE: usize = 2_000;
/// The most bytes of one file that are read.
const FILE: u64 = 256 << 20;
/// Distance from a moment within which all lines are kept.
const NEAR_MS: i64 = 3_000;
/// Distance from a moment within which warnings and errors are kept.
const ROUND_MS: i64 = 15_000;

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    /// Information, or unknown.
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Unix milliseconds; that of the line before if it has none of its own.
    pub at_ms: Option<i64>,
    pub level: Level,
    pub text: String,
}

/// Lines of one log.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Kept lines, in the file's order.
    pub lines: Vec<LogLine>,
    /// How many were left out.
    pub left_out: u64,
}

/// Reads the most useful lines of a log within `budget` bytes: those around `moments` (Unix
/// milliseconds, sorted), then warnings, then the newest.
pub fn read(file: &LogFile, moments: &[i64], budget: usize) -> Lines {
    let Ok(opened) = File::open(&file.path) else { return Lines::default() };
    let mut reader = BufReader::new(opened).take(FILE);
    let mut kept = Kept::new(budget);
    let mut raw = Vec::new();
    let (mut at_ms, mut level) = (None, Level::Info);
    loop {
        raw.clear();
        match reader.read_until(b'\n', &mut raw) {
            Ok(0) | Err(_) => return kept.finish(),
            Ok(_) => {}
        }
        raw.truncate(LINE);
        let text = clean(String::from_utf8_lossy(&raw).trim_end());
        if let Some((own, own_level)) = stamp(&text) {
            (at_ms, level) = (Some(own), own_level);
        }
        kept.push(LogLine { at_ms, level, text }, moments);
    }
}

/// Lines by priority, each class with the budget; the last class keeps its newest.
struct Kept {
    classes: [VecDeque<(u64, LogLine)>; 4],
    sizes: [usize; 4],
    budget: usize,
    seen: u64,
}

impl Kept {
    fn new(budget: usize) -> Self {
        Self { classes: Default::default(), sizes: [0; 4], budget, seen: 0 }
    }

    fn push(&mut self, line: LogLine, moments: &[i64]) {
        self.seen += 1;
        let bad = line.level >= Level::Warn;
        let far = line.at_ms.map_or(i64::MAX, |at| distance(moments, at));
        let class = match (far, bad) {
            (0..=NEAR_MS, _) => 0,
            (0..=ROUND_MS, true) => 1,
            (_, true) => 2,
            _ => 3,
        };
        let size = line.text.len() + 24;
        self.classes[class].push_back((self.seen, line));
        self.sizes[class] += size;
        while self.sizes[class] > self.budget {
            let dropped = match class {
                3 => self.classes[class].pop_front(),
                _ => self.classes[class].pop_back(),
            };
            let Some((_, line)) = dropped else { break };
            self.sizes[class] -= line.text.len() + 24;
        }
    }

    fn finish(self) -> Lines {
        let mut left = self.budget;
        let mut kept = Vec::new();
        for (class, lines) in self.classes.into_iter().enumerate() {
            let in_order: Box<dyn Iterator<Item = _>> = if class == 3 {
                Box::new(lines.into_iter().rev())
            } else {
                Box::new(lines.into_iter())
            };
            for (number, line) in in_order {
                let size = line.text.len() + 24;
                if size > left {
                    break;
                }
                left -= size;
                kept.push((number, line));
            }
        }
        kept.sort_by_key(|(number, _)| *number);
        let left_out = self.seen - kept.len() as u64;
        Lines { lines: kept.into_iter().map(|(_, line)| line).collect(), left_out }
    }
}

/// Milliseconds to the nearest of sorted moments.
fn distance(moments: &[i64], at: i64) -> i64 {
    let next = moments.partition_point(|m| *m < at);
    let after = moments.get(next).map(|m| m - at);
    let before = next.checked_sub(1).and_then(|i| moments.get(i)).map(|m| at - m);
    after.into_iter().chain(before).min().unwrap_or(i64::MAX)
}

/// Time and level of a line: Kafka's `[2026-03-01 12:00:09,123] WARN`, ZooKeeper's the same without
/// brackets, RFC 3339, librdkafka's `%3|1772366409.123|FAIL|`.
fn stamp(line: &str) -> Option<(i64, Level)> {
    if let Some(rest) = line.strip_prefix('%') {
        let (level, rest) = rest.split_once('|')?;
        let (seconds, _) = rest.split_once('|')?;
        let level = match level.parse::<u8>().ok()? {
            0..=3 => Level::Error,
            4 => Level::Warn,
            5 | 6 => Level::Info,
            _ => Level::Debug,
        };
        let seconds: f64 = seconds.parse().ok()?;
        return Some(((seconds * 1_000.0) as i64, level));
    }
    let line = line.strip_prefix('[').unwrap_or(line);
    let head: String = line.chars().take(40).collect();
    let end =
        head.char_indices().find(|(at, c)| *at > 10 && !fits(*c)).map_or(head.len(), |(at, _)| at);
    let text = head[..end].trim_end().replace(',', ".");
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    Some((at.as_millisecond(), level(line)))
}

/// Characters of a time after its date; a blank may stand between date and time only.
fn fits(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, ':' | '.' | ',' | 'T' | 'Z' | '+' | '-')
}

fn level(line: &str) -> Level {
    let head = line.split_whitespace().take(6);
    for word in head {
        match word.trim_matches(|c: char| !c.is_ascii_alphabetic()) {
            "ERROR" | "FATAL" => return Level::Error,
            "WARN" | "WARNING" => return Level::Warn,
            "DEBUG" | "TRACE" => return Level::Debug,
            "INFO" => return Level::Info,
            _ => {}
        }
    }
    Level::Info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_loggers_are_read() {
        let noon = 1_772_366_409_123;
        for (line, level) in [
            ("[2026-03-01 12:00:09,123] WARN [Broker 2] x (kafka.server)", Level::Warn),
            ("2026-03-01 12:00:09,123 [myid:1] - ERROR [main] x", Level::Error),
            ("2026-03-01T12:00:09.123Z INFO x", Level::Info),
            ("2026-03-01T12:00:09.123456789Z x", Level::Info),
            ("%3|1772366409.123|FAIL|P#producer-1| x", Level::Error),
            ("%6|1772366409.123|FAIL|P#producer-1| x", Level::Info),
        ] {
            assert_eq!(stamp(line), Some((noon, level)), "{line}");
        }
        for line in [
            "",
            "\tat java.lang.Thread.run",
            "[x] WARN",
            "%x|1|",
            "2026-99-99 12:00:00",
            "é".repeat(30).as_str(),
        ] {
            assert_eq!(stamp(line), None, "{line}");
        }
    }

    #[test]
    fn what_matters_survives_the_budget() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("broker-1.log");
        let line = |n: u64| {
            let level = if n == 100 { "WARN" } else { "INFO" };
            format!("[2026-03-01 12:{:02}:{:02},000] {level} line {n}\n", n / 60, n % 60)
        };
        std::fs::write(&path, (0..3_000).map(line).collect::<String>()).expect("written");
        let file = LogFile { who: "broker-1".into(), path, size: 0 };
        let moment = 1_772_366_400_000 + 500_000;
        let read = read(&file, &[moment], 2_000);
        let texts: Vec<_> =
            read.lines.iter().map(|l| l.text.rsplit_once(' ').expect("words").1).collect();
        for near in ["497", "500", "503", "100", "2999"] {
            assert!(texts.contains(&near), "{near} in {texts:?}");
        }
        assert_eq!(read.left_out + read.lines.len() as u64, 3_000);
        assert!(read.lines.is_sorted_by_key(|l| l.at_ms));
    }
}
