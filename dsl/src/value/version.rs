//! Versions of Kafka.

use std::cmp::Ordering;

use schemars::{Schema, json_schema};

use super::{FromText, TextError, text_value};
use crate::Code;

/// A version of Kafka, as written. Versions are ordered by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaVersion {
    text: String,
    numbers: Vec<u32>,
}

/// The versions that kplan is tested with, oldest first.
pub const TESTED: [&str; 5] = ["0.10.1.1", "2.8.2", "3.9.1", "4.1.1", "4.4.0"];

impl KafkaVersion {
    /// The version, as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its leading numbers: `[4, 1, 1]`; empty for a name such as `latest`.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// True if it is at least this version. A version without numbers counts as the newest.
    pub fn at_least(&self, wanted: &[u32]) -> bool {
        self.numbers.is_empty() || self.numbers.as_slice() >= wanted
    }

    /// True if it is older than this version.
    pub fn before(&self, wanted: &[u32]) -> bool {
        !self.at_least(wanted)
    }

    /// True if it has KRaft that is ready for production (KIP-833: from 3.3).
    pub fn has_kraft(&self) -> bool {
        self.at_least(&[3, 3])
    }

    /// True if it can run with ZooKeeper (removed in 4.0, KIP-500).
    pub fn has_zookeeper(&self) -> bool {
        self.numbers.is_empty() || self.before(&[4])
    }

    /// True if it has idempotent and transactional producers and headers (0.11, KIP-98 and KIP-82).
    pub fn has_transactions(&self) -> bool {
        self.at_least(&[0, 11])
    }

    /// True if it has the form of a released version: four numbers before 1.0, three from 1.0 on.
    pub fn is_released_form(&self) -> bool {
        let count = if self.numbers.first() == Some(&0) { 4 } else { 3 };
        let numbers: Vec<String> = self.numbers.iter().map(u32::to_string).collect();
        numbers.len() == count && numbers.join(".") == self.text && self.at_least(&[0, 8])
    }
}

impl PartialOrd for KafkaVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.numbers.cmp(&other.numbers)).filter(|o| *o != Ordering::Equal || self == other)
    }
}

impl FromText for KafkaVersion {
    const EXPECTS: &'static str = "a Kafka version such as `4.1.1`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.is_empty() || text.len() > 60 || !text.chars().all(fits) {
            let message = format!("`{text}` is not a version");
            return Err(TextError::new(Code::E013, message));
        }
        let numbers = text.split(['.', '-', '_']).map_while(|part| part.parse().ok()).collect();
        Ok(Self { text: text.to_owned(), numbers })
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": ["string", "number"], "examples": TESTED })
    }
}

text_value!(KafkaVersion);
crate::meaning::shown!(KafkaVersion);

impl std::fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> KafkaVersion {
        KafkaVersion::from_text(text).expect(text)
    }

    #[test]
    fn abilities_follow_the_numbers() {
        assert!(version("4.1.1").has_kraft() && !version("4.1.1").has_zookeeper());
        assert!(version("3.9.1").has_kraft() && version("3.9.1").has_zookeeper());
        assert!(!version("0.10.1.1").has_transactions() && !version("0.10.1.1").has_kraft());
        assert!(version("latest").has_kraft() && version("latest").has_zookeeper());
        assert!(version("4.10").at_least(&[4, 9]));
    }

    #[test]
    fn released_forms() {
        assert!(version("0.10.1.1").is_released_form() && version("3.9.1").is_released_form());
        for text in ["4.1", "7.5.0-ccs", "latest", "0.7.0.0"] {
            assert!(!version(text).is_released_form(), "{text}");
        }
    }
}
