//! Words, durations and limits that all reports share.

use std::time::Duration;

use indexmap::IndexMap;
use kplan_dsl::visible::visible;
use serde_json::Value;

use crate::event::Verdict;

/// A verdict as reports write it.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Broken => "broken",
        Verdict::Skipped => "skipped",
    }
}

/// Milliseconds for people: `740 ms`, `8.4 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// Microseconds for people, see [`duration`]; 0 for less than nothing.
pub fn duration_us(us: i64) -> String {
    duration(u64::try_from(us / 1_000).unwrap_or(0))
}

/// A duration of milliseconds.
pub fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A number with separated thousands: `25,312`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// At most `limit` bytes of a text: its beginning and its end, and between them how much is missing.
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    // Space for the line that shows how much is missing.
    let room = limit.saturating_sub(48);
    let head = text.floor_char_boundary(room / 4 * 3);
    let tail = text.ceil_char_boundary(text.len() - (room - room / 4 * 3));
    format!("{}\n… {} bytes left out …\n{}", &text[..head], tail - head, &text[tail..])
}

/// The first `limit` characters of a text, [`clean`] and in one line.
pub fn one_line(text: &str, limit: usize) -> String {
    // Only the visible part is cleaned.
    let text = clean(&text[..text.floor_char_boundary(limit.saturating_mul(8))]);
    let mut line = String::new();
    for (at, c) in text.split_whitespace().flat_map(|w| w.chars().chain([' '])).enumerate() {
        if at >= limit {
            return line + "…";
        }
        line.push(c);
    }
    line.truncate(line.trim_end().len());
    line
}

/// Untrusted text made safe for any format: see [`visible`].
pub fn clean(text: &str) -> String {
    visible(text).into_owned()
}

/// Recorded values as flat names and texts: `{"acked": {"P": 3}}` → `acked.P` = `3`.
pub fn flat_values(values: &IndexMap<String, Value>) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (name, value) in values {
        flatten(name, value, 0, &mut flat);
    }
    flat
}

fn flatten(name: &str, value: &Value, depth: usize, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if depth < 4 => {
            map.iter().for_each(|(k, v)| flatten(&format!("{name}.{k}"), v, depth + 1, flat));
        }
        Value::String(text) => flat.push((name.to_owned(), text.clone())),
        other => flat.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let read = [0, 999, 1_000, 59_999, 60_000, 125_000, 3_720_000].map(duration);
        assert_eq!(
            read,
            ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 00 s", "2 min 05 s", "1 h 02 min"]
        );
        assert_eq!(duration_us(-5), "0 ms");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_bound_holds_at_any_character() {
        for text in ["é".repeat(5_000), "😀".repeat(2_000), "x".repeat(9_999)] {
            for limit in [64, 65, 66, 67, 1_000] {
                let short = bounded(&text, limit);
                assert!(short.len() <= limit + 8, "{} of {limit}", short.len());
                assert!(short.contains("bytes left out"));
            }
        }
        assert_eq!(bounded("short", 64), "short");
    }

    #[test]
    fn hostile_characters_become_visible() {
        assert_eq!(
            clean("a\0b\x1b[31mred\tc\u{ffff}\r\nd"),
            "a\\u{0}b\\u{1b}[31mred    c\\u{ffff}\nd"
        );
        assert_eq!(one_line("  a\n\tb  c ", 9), "a b c");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(one_line("a\u{2028}b\u{85}c", 40), "a\\u{2028}b\\u{85}c");
        assert_eq!(clean("\u{202e}evil"), "\\u{202e}evil");
    }

    #[test]
    fn values_are_flattened() {
        let values = IndexMap::from([
            ("acked".to_owned(), serde_json::json!({"P": 3, "Q": {"orders/0": "x"}})),
            ("lost".to_owned(), 36.into()),
        ]);
        let flat: Vec<_> =
            flat_values(&values).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(flat, ["acked.P=3", "acked.Q.orders/0=x", "lost=36"]);
    }
}
