//! Durations, rates, sizes and percents.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::{FromText, TextError, text_value};
use crate::Code;
use crate::meaning::{Meaning, shown};

/// A rate: a number per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// This number per second.
    PerSecond(f64),
    /// As fast as possible.
    Max,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(pub u64);

/// A percentage, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

/// The longest duration a plan may name: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
const UNITS: [(&str, u32); 5] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

fn bad(text: &str, what: &str) -> TextError {
    TextError::new(Code::E013, format!("`{text}` is not {what}"))
}

impl FromText for Duration {
    const EXPECTS: &'static str = "a duration such as `30s`, `500ms` or `1m30s`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        if text.parse::<f64>().is_ok() && text != "0" {
            let help = format!("write the unit: `{text}s` or `{text}ms`");
            return Err(bad(text, "a duration").help(help));
        }
        let units = ["ms", "s", "m", "h"];
        let words = text.split(|c: char| c.is_ascii_digit()).filter(|w| !w.is_empty());
        let parsed = humantime::parse_duration(text).ok();
        match parsed.filter(|_| words.into_iter().all(|w| units.contains(&w))) {
            Some(duration) if duration > LONGEST => {
                Err(TextError::new(Code::E015, format!("`{text}` is longer than a week")))
            }
            Some(duration) => Ok(duration),
            None => Err(bad(text, "a duration")),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$" },
                { "const": 0 },
                { "const": "0" },
            ],
        })
    }
}

/// A duration as a plan writes it: `1m30s`.
pub fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

impl FromText for Rate {
    const EXPECTS: &'static str = "a rate such as `200/s`, or `max`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        if text.parse::<f64>().is_ok() {
            return Err(bad(text, "a rate").help(format!("write the unit: `{text}/s`")));
        }
        let number =
            text.strip_suffix("/s").and_then(decimal).ok_or_else(|| bad(text, "a rate"))?;
        if !(0.01..=10_000_000.0).contains(&number) {
            let message =
                format!("`{text}` is out of range: a rate is between 0.01/s and 10000000/s");
            return Err(TextError::new(Code::E015, message));
        }
        Ok(Self::PerSecond(number))
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?/s|max)$" })
    }
}

/// A number of digits with at most one point, nothing else.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn bytes(text: &str) -> Result<u64, TextError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, shift)| *shift);
    match (number.parse::<u64>(), shift) {
        (Ok(number), Some(shift)) => number
            .checked_mul(1 << shift)
            .filter(|n| *n <= 1 << 50)
            .ok_or_else(|| TextError::new(Code::E015, format!("`{text}` is too large"))),
        (Ok(_), None) if unit.is_empty() => {
            Err(bad(text, "a size").help(format!("write the unit: `{text}B` or `{text}KiB`")))
        }
        (Ok(_), None) => {
            let initial = |u: &&str| u.chars().next() == unit.to_uppercase().chars().next();
            let near = UNITS.iter().map(|u| u.0).find(initial).unwrap_or("KiB");
            let help = format!("units are B, KiB, MiB, GiB, TiB: did you mean `{number}{near}`?");
            Err(bad(text, "a size").help(help))
        }
        _ => Err(bad(text, "a size")),
    }
}

fn bytes_text(bytes: u64) -> String {
    let fits = |shift: &u32| bytes > 0 && bytes.trailing_zeros() >= *shift;
    let best = UNITS.iter().rev().find(|(_, shift)| fits(shift));
    let (unit, shift) = best.copied().unwrap_or(("B", 0));
    format!("{}{unit}", bytes >> shift)
}

impl FromText for ByteSize {
    const EXPECTS: &'static str = "a size such as `512B` or `1KiB`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        bytes(text).map(Self)
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(B|KiB|MiB|GiB|TiB)$" })
    }
}

impl FromText for Bandwidth {
    const EXPECTS: &'static str = "bytes a second such as `512KiB/s`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let size = text.strip_suffix("/s").ok_or_else(|| bad(text, "a bandwidth"))?;
        match bytes(size)? {
            0 => Err(TextError::new(
                Code::E015,
                "a bandwidth of 0: use partition_network to cut the network",
            )),
            n => Ok(Self(n)),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(B|KiB|MiB|GiB|TiB)/s$" })
    }
}

impl FromText for Percent {
    const EXPECTS: &'static str = "a percent such as `10%`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        if text.parse::<f64>().is_ok() {
            return Err(bad(text, "a percent").help(format!("write the sign: `{text}%`")));
        }
        let number = text.strip_suffix('%').and_then(decimal);
        match number.ok_or_else(|| bad(text, "a percent"))? {
            n if n <= 100.0 => Ok(Self(n)),
            _ => Err(TextError::new(Code::E015, format!("`{text}` is more than 100%"))),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$" })
    }
}

text_value!(Duration, Rate, ByteSize, Bandwidth, Percent);
shown!(Rate, ByteSize, Bandwidth, Percent);

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PerSecond(n) => write!(f, "{n}/s"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&bytes_text(self.0))
    }
}

impl std::fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/s", bytes_text(self.0))
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Meaning for Duration {
    fn meaning(&self) -> serde_json::Value {
        serde_json::Value::from(duration_text(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: FromText + std::fmt::Debug>(text: &str) -> Code {
        T::from_text(text).expect_err(text).code
    }

    #[test]
    fn durations() {
        let read = |t| Duration::from_text(t).expect("a duration");
        assert_eq!(read("500ms"), Duration::from_millis(500));
        assert_eq!(read("1m30s"), Duration::from_secs(90));
        assert_eq!(read("0"), Duration::ZERO);
        assert_eq!(duration_text(read("90s")), "1m30s");
        for text in ["30", "", "s", "1 week", "-3s", "3x", "1y"] {
            assert_eq!(why::<Duration>(text), Code::E013, "{text}");
        }
        assert_eq!(why::<Duration>("1000h"), Code::E015);
    }

    #[test]
    fn rates_sizes_percents() {
        assert_eq!(Rate::from_text("200/s").ok(), Some(Rate::PerSecond(200.0)));
        assert_eq!(Rate::from_text("max").ok(), Some(Rate::Max));
        assert_eq!(why::<Rate>("200"), Code::E013);
        assert_eq!(why::<Rate>("0/s"), Code::E015);
        assert_eq!(why::<Rate>("1e5/s"), Code::E013);
        assert_eq!(ByteSize::from_text("1KiB").ok(), Some(ByteSize(1024)));
        assert_eq!(ByteSize(1536).to_string(), "1536B");
        assert_eq!(ByteSize(1 << 20).to_string(), "1MiB");
        assert_eq!(why::<ByteSize>("1KB"), Code::E013);
        assert_eq!(why::<ByteSize>("99999999TiB"), Code::E015);
        assert_eq!(Bandwidth::from_text("2MiB/s").ok(), Some(Bandwidth(2 << 20)));
        assert_eq!(Percent::from_text("0.5%").ok(), Some(Percent(0.5)));
        assert_eq!(why::<Percent>("101%"), Code::E015);
    }
}
