//! Helpers for sentences.

use std::time::Duration;

/// A sentence with the points of a list below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The sentence, without its full stop or colon.
    pub text: String,
    /// The points; empty for a sentence without a list.
    pub points: Vec<String>,
}

impl Sentence {
    /// The greatest number of messages or partitions of a list that are shown.
    pub const MOST: usize = 8;
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self { text, points: Vec::new() }
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: std::fmt::Display>(all: &[T]) -> String {
    let mut text = String::new();
    for (index, one) in all.iter().enumerate() {
        let joint = match index {
            0 => "",
            i if i + 1 == all.len() => " and ",
            _ => ", ",
        };
        text.push_str(joint);
        text.push_str(&one.to_string());
    }
    text
}

/// `1 message`, `2 messages`.
pub fn count(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A text followed by additions between two marks. Without additions it stays unchanged.
pub(crate) fn joined(text: String, open: &str, more: &[String], close: &str) -> String {
    if more.is_empty() { text } else { format!("{text}{open}{}{close}", more.join(", ")) }
}

/// A time in readable form: `60 s`, `5 min`, `1 min 35 s`.
pub fn spoken(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let said = |parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}"));
        parts.collect::<Vec<_>>().join(" ")
    };
    match (seconds, millis) {
        (0, millis) => format!("{millis} ms"),
        (1..=90, 0) => format!("{seconds} s"),
        (_, 0) => said(&parts),
        (_, millis) => format!("{} {millis} ms", said(&parts)),
    }
}

/// A number with thousands separators: `5,242,880`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The names in a data file, one per line. A line that begins with `#` is a comment.
pub(crate) fn names(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_like_speech() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "broker"), "1 broker");
        assert_eq!(count(3, "broker"), "3 brokers");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = |ms| spoken(Duration::from_millis(ms));
        assert_eq!([said(0), said(500), said(60_000)], ["0 ms", "500 ms", "60 s"]);
        assert_eq!([said(95_000), said(480_000)], ["1 min 35 s", "8 min"]);
        assert_eq!([said(3_600_000), said(61_500)], ["1 h", "1 min 1 s 500 ms"]);
    }
}
