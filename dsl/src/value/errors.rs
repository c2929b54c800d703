//! Error codes: those that a step may be expected to fail with, and those by which failed messages are counted.

use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::args::args;
use crate::diagnostic::{Code, Diagnostic, Help, nearest};
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;
use crate::words;

/// Kafka's error codes, with the names of its protocol, in the order of their numbers.
pub static KAFKA_ERRORS: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("kafka-errors.txt")));

/// The client library's own error codes, which begin with an underscore: errors that are not answers of Kafka.
pub static CLIENT_ERRORS: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("client-errors.txt")));

/// Error codes that plans may name.
fn known() -> impl Iterator<Item = &'static str> {
    KAFKA_ERRORS.iter().chain(CLIENT_ERRORS.iter()).copied()
}

/// The error that is expected.
#[derive(Debug, Clone)]
pub enum ExpectedError {
    /// The error with exactly this name.
    Code(String),
    /// An error whose name and message, `NAME: message`, match a pattern.
    Matches(regex::Regex),
}

args! {
    /// A pattern.
    pub struct Pattern("error") {
        /// A regular expression that matches anywhere in `NAME: message`.
        matches: Spanned<String>,
    }
}

impl PartialEq for ExpectedError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Code(one), Self::Code(other)) => one == other,
            (Self::Matches(one), Self::Matches(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl std::fmt::Display for ExpectedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code),
            Self::Matches(pattern) => write!(f, "an error that matches /{pattern}/"),
        }
    }
}

impl Meaning for ExpectedError {
    fn meaning(&self) -> serde_json::Value {
        match self {
            Self::Code(code) => code.clone().into(),
            Self::Matches(pattern) => serde_json::json!({ "matches": pattern.as_str() }),
        }
    }
}

impl FromNode for ExpectedError {
    const EXPECTS: &'static str =
        "an error code such as `NOT_ENOUGH_REPLICAS`, or `{matches: ...}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let pattern = reader.read::<Pattern>(node)?;
                read_pattern(&pattern.matches, reader).map(Self::Matches)
            }
            Kind::Scalar(scalar) if known().any(|code| code == &*scalar.text) => {
                Some(Self::Code(scalar.text.clone()))
            }
            Kind::Scalar(scalar) if !scalar.is_null() => {
                let message =
                    format!("`{}` is not an error code of Kafka or of its client", scalar.text);
                let help = nearest(&scalar.text, known()).map_or_else(
                    || "write an error code, or a pattern for its name and message: `{ matches: ... }`".into(),
                    |near| Help::did_you_mean(&scalar.text, near),
                );
                reader.push(Diagnostic::new(Code::E014, node.span, message).help(help));
                None
            }
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let codes: Vec<&str> = known().collect();
        let pattern = Pattern::schema(generator);
        json_schema!({ "anyOf": [{ "type": "string", "enum": codes }, pattern] })
    }
}

/// A regular expression that excludes something: one that matches the empty text matches any text.
fn read_pattern(text: &Spanned<String>, reader: &mut Reader) -> Option<regex::Regex> {
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    let message = match built {
        Ok(pattern) if !pattern.is_match("") => return Some(pattern),
        Ok(_) => "the regular expression matches every error".to_owned(),
        Err(error) => {
            let why = error.to_string();
            let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("not a regular expression: {last}")
        }
    };
    reader.push(Diagnostic::new(Code::E013, text.span, message));
    None
}
