//! Timestamps that the plan gives to messages.

use std::time::{Duration, SystemTime};

use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{FromText, TextError, text_value};
use crate::Code;

/// The timestamp of a message (Kafka's `CreateTime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageTime {
    /// This many milliseconds after the message is due; negative: before.
    Offset(i64),
    /// This time, in milliseconds since 1970.
    At(i64),
}

impl MessageTime {
    /// The timestamp of a message that is due at this time; all in milliseconds since 1970.
    pub fn of(self, due_ms: i64) -> i64 {
        match self {
            Self::Offset(offset) => due_ms.saturating_add(offset),
            Self::At(at) => at,
        }
    }
}

impl FromText for MessageTime {
    const EXPECTS: &'static str =
        "an offset from now such as `-2h`, or a time such as `2026-01-31T12:00:00Z`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        if let Some(sign) = text.chars().next().filter(|c| "+-".contains(*c)) {
            let offset = Duration::from_text(&text[1..])?;
            let offset = millis(offset);
            return Ok(Self::Offset(if sign == '-' { -offset } else { offset }));
        }
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        match humantime::parse_rfc3339(text).ok().and_then(since) {
            Some(time) => Ok(Self::At(millis(time))),
            None => {
                let message = format!("`{text}` is not a timestamp");
                let help = format!("write {}", Self::EXPECTS);
                Err(TextError::new(Code::E013, message).help(help))
            }
        }
    }

    fn text_schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[+-]([0-9]+(ms|s|m|h))+$|^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z$",
        })
    }
}

text_value!(MessageTime);
crate::meaning::shown!(MessageTime);

impl std::fmt::Display for MessageTime {
    /// As written in a plan.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offset(offset) => {
                let sign = if *offset < 0 { '-' } else { '+' };
                let time = Duration::from_millis(offset.unsigned_abs());
                write!(f, "{sign}{}", super::duration_text(time))
            }
            Self::At(at) => {
                let since = Duration::from_millis(u64::try_from(*at).unwrap_or(0));
                let time =
                    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH);
                write!(f, "{}", humantime::format_rfc3339_millis(time))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_times() {
        let read = |text| MessageTime::from_text(text).expect("a timestamp");
        assert_eq!(read("-2h"), MessageTime::Offset(-7_200_000));
        assert_eq!(read("+1m30s").to_string(), "+1m30s");
        assert_eq!(read("-2h").of(10_000_000), 2_800_000);
        assert_eq!(read("1970-01-01T00:00:01Z"), MessageTime::At(1000));
        assert_eq!(read("1970-01-01T00:00:01Z").to_string(), "1970-01-01T00:00:01.000Z");
        for text in [
            "2h",
            "",
            "-",
            "-2",
            "yesterday",
            "1969-12-31T23:59:59Z",
            "2026-13-01T00:00:00Z",
            "-2ö",
        ] {
            assert!(MessageTime::from_text(text).is_err(), "{text}");
        }
    }
}
