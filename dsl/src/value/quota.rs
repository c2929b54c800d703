//! Limits of quotas, and whom they are for.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Bandwidth, FromText, Percent, Rate, UserName, text_schema};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};

/// The word for no limit.
const NONE: &str = "none";
/// The word of other words for it.
const MAX: &str = "max";
/// The word for everything that has no quota of its own.
const DEFAULT: &str = "default";

/// A limit that is set, or removed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QuotaLimit<T> {
    /// The limit is removed.
    Removed,
    /// The limit is this value.
    At(T),
}

impl<T: std::fmt::Display> std::fmt::Display for QuotaLimit<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Removed => f.write_str(NONE),
            Self::At(value) => value.fmt(f),
        }
    }
}

impl<T: std::fmt::Display> Meaning for QuotaLimit<T> {
    fn meaning(&self) -> Value {
        self.to_string().into()
    }
}

/// A quantity that a quota limits.
pub(crate) trait QuotaUnit: FromNode {
    /// The expected form, with `none`.
    const OR_NONE: &'static str;
}

impl QuotaUnit for Bandwidth {
    const OR_NONE: &'static str = "bytes a second such as `512KiB/s`, or `none`";
}

impl QuotaUnit for Percent {
    const OR_NONE: &'static str = "a percent such as `10%`, or `none`";
}

impl QuotaUnit for Rate {
    const OR_NONE: &'static str = "a rate such as `5/s`, or `none`";
}

impl<T: QuotaUnit> FromNode for QuotaLimit<T> {
    const EXPECTS: &'static str = T::OR_NONE;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.scalar().is_some_and(|scalar| scalar.text == NONE) {
            return Some(Self::Removed);
        }
        if node.scalar().is_some_and(|scalar| scalar.text == MAX) {
            let message = "`max` is no limit";
            reader.push(Diagnostic::new(Code::E015, node.span, message).help("write `none`"));
            return None;
        }
        T::from_node(node, reader).map(Self::At)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let value = T::schema(generator);
        json_schema!({ "anyOf": [value, { "const": NONE }] })
    }
}

/// A user or a `client.id` of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaOf {
    /// Everyone who has no quota of his own.
    Default,
    /// This one.
    Named(String),
}

impl QuotaOf {
    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl std::fmt::Display for QuotaOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name().unwrap_or(DEFAULT))
    }
}

impl FromText for QuotaOf {
    const EXPECTS: &'static str = "a name, or `default`: all that have no quota of their own";

    fn from_text(text: &str) -> Result<Self, super::TextError> {
        if text == DEFAULT {
            return Ok(Self::Default);
        }
        UserName::from_text(text).map(|name| Self::Named(name.to_string()))
    }

    fn text_schema() -> Schema {
        text_schema()
    }
}

super::text_value!(QuotaOf);
crate::meaning::shown!(QuotaOf);
