//! Up to where the records of a partition are meant.

use schemars::{Schema, json_schema};

use super::{FromText, TextError, text_value};
use crate::Code;

/// The offset before which records are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeOffset {
    /// This offset, which is kept.
    Offset(u64),
    /// The end of what consumers can read.
    End,
}

/// Kafka's offsets are numbers of 64 bits with a sign.
const MOST: u64 = i64::MAX as u64;

impl FromText for BeforeOffset {
    const EXPECTS: &'static str = "an offset such as `100`, or `end`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        match text.parse() {
            Ok(offset @ 0..=MOST) => Ok(Self::Offset(offset)),
            _ if text == "end" => Ok(Self::End),
            _ if text.parse::<i128>().is_ok() => {
                let message = format!("{text} is not an offset: offsets count from 0");
                Err(TextError::new(Code::E015, message))
            }
            _ => Err(TextError::new(Code::E013, format!("`{text}` is not an offset"))),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "end" }] })
    }
}

text_value!(BeforeOffset);
crate::meaning::shown!(BeforeOffset);

impl std::fmt::Display for BeforeOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::End => f.write_str("end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_the_end() {
        let read = |text| BeforeOffset::from_text(text).map_err(|e| e.code);
        assert_eq!(read("0"), Ok(BeforeOffset::Offset(0)));
        assert_eq!(read("9223372036854775807"), Ok(BeforeOffset::Offset(MOST)));
        assert_eq!(read("end"), Ok(BeforeOffset::End));
        assert_eq!(read("-1"), Err(Code::E015));
        assert_eq!(read("9223372036854775808"), Err(Code::E015));
        assert_eq!(read("latest"), Err(Code::E013));
        assert_eq!(BeforeOffset::End.to_string(), "end");
    }
}
