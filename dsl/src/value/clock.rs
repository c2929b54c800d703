//! Wrong clocks: how far they are shifted, and how fast they run.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::{FromText, TextError, duration_text, text_value};
use crate::Code;
use crate::meaning::shown;

/// By how much a clock is shifted: ahead, or with a minus sign behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockShift {
    /// Whether it is behind.
    pub behind: bool,
    /// How far.
    pub far: Duration,
}

/// How fast a clock runs; 1 is right.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct ClockRate(pub f64);

impl ClockShift {
    /// Nanoseconds, negative if it is behind.
    pub fn nanoseconds(self) -> i64 {
        let far = i64::try_from(self.far.as_nanos()).unwrap_or(i64::MAX);
        if self.behind { -far } else { far }
    }
}

impl FromText for ClockShift {
    const EXPECTS: &'static str = "a duration such as `1h` or `-2m`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let (behind, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.parse::<f64>().is_ok() && rest != "0" {
            let message = format!("`{text}` is not a duration");
            let help = format!("write the unit: `{text}s` or `{text}ms`");
            return Err(TextError::new(Code::E013, message).help(help));
        }
        Duration::from_text(rest).map(|far| Self { behind: behind && !far.is_zero(), far })
    }

    fn text_schema() -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": r"^-?([0-9]+(ms|s|m|h))+$" },
                { "const": 0 },
                { "const": "0" },
            ],
        })
    }
}

impl FromText for ClockRate {
    const EXPECTS: &'static str = "a number such as `2.0` or `0.5`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match text.parse::<f64>().ok().filter(|_| plain) {
            Some(rate) if (0.0..=1000.0).contains(&rate) => Ok(Self(rate)),
            Some(_) => {
                let message = format!("`{text}` is out of range: a clock runs at 0 to 1000 times");
                Err(TextError::new(Code::E015, message))
            }
            None => Err(TextError::new(Code::E013, format!("`{text}` is not a number"))),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 1000 },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$" },
            ],
        })
    }
}

text_value!(ClockShift, ClockRate);
shown!(ClockShift, ClockRate);

impl std::fmt::Display for ClockShift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.behind { "-" } else { "" }, duration_text(self.far))
    }
}

impl std::fmt::Display for ClockRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_go_both_ways() {
        let shift = |text| ClockShift::from_text(text).map(ClockShift::nanoseconds).ok();
        assert_eq!(shift("1h"), Some(3_600_000_000_000));
        assert_eq!(shift("-2m"), Some(-120_000_000_000));
        assert_eq!(shift("-0s"), Some(0));
        assert_eq!(shift("--1s"), None);
        assert_eq!(
            ClockShift::from_text("-1m30s").ok().map(|s| s.to_string()).as_deref(),
            Some("-1m30s")
        );
    }

    #[test]
    fn a_clock_does_not_run_backwards() {
        let rate = |text| ClockRate::from_text(text).ok();
        assert_eq!(rate("0.5"), Some(ClockRate(0.5)));
        assert_eq!(rate("2"), Some(ClockRate(2.0)));
        assert_eq!((rate("-1"), rate("1001"), rate("inf"), rate("1e3")), (None, None, None, None));
    }
}
