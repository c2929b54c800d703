//! Whom and what a rule of permission is about.

use schemars::Schema;

use super::{FromText, TextError, UserName, text_schema, words};
use crate::Code;

words! {
    /// What a user does, by Kafka's names of operations.
    pub enum AclOperation("an operation such as `read`, `write` or `all`") {
        /// Read messages, or join a group and commit its offsets.
        Read = "read",
        /// Write messages.
        Write = "write",
        /// Create topics.
        Create = "create",
        /// Delete topics, groups or records.
        Delete = "delete",
        /// Change topics, users or permissions.
        Alter = "alter",
        /// Show that it exists, and its offsets and members.
        Describe = "describe",
        /// What brokers do among themselves.
        ClusterAction = "cluster_action",
        /// Show settings.
        DescribeConfigs = "describe_configs",
        /// Change settings.
        AlterConfigs = "alter_configs",
        /// Write as an idempotent producer (before Kafka 3.0).
        IdempotentWrite = "idempotent_write",
        /// All of these.
        All = "all",
    }
}

/// One user, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclUser {
    /// Every user.
    Any,
    /// This one.
    Named(String),
}

const ANY: &str = "any";

impl std::fmt::Display for AclUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str(ANY),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl FromText for AclUser {
    const EXPECTS: &'static str = "a user's name, or `any`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        if text == ANY {
            return Ok(Self::Any);
        }
        UserName::from_text(text).map(|name| Self::Named(name.to_string()))
    }

    fn text_schema() -> Schema {
        text_schema()
    }
}

/// The name of one thing, or with `*` at its end the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// Exactly this name.
    Name(String),
    /// All names that begin so.
    Prefix(String),
    /// All names.
    All,
}

impl std::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Prefix(beginning) => write!(f, "{beginning}*"),
            Self::All => f.write_str("*"),
        }
    }
}

impl FromText for NamePattern {
    const EXPECTS: &'static str = "a name, or the beginning of names such as `orders-*`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let (beginning, is_prefix) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        if beginning.is_empty() && is_prefix {
            return Ok(Self::All);
        }
        UserName::from_text(beginning)?;
        if beginning.contains('*') {
            let message =
                format!("`{text}` is not the beginning of names: `*` stands only at the end");
            return Err(TextError::new(Code::E013, message));
        }
        let text = beginning.to_owned();
        Ok(if is_prefix { Self::Prefix(text) } else { Self::Name(text) })
    }

    fn text_schema() -> Schema {
        text_schema()
    }
}

super::text_value!(AclUser, NamePattern);
crate::meaning::shown!(AclUser, NamePattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_beginnings() {
        let read = |text| NamePattern::from_text(text).map_err(|e| e.code);
        assert_eq!(read("orders"), Ok(NamePattern::Name("orders".into())));
        assert_eq!(read("orders-*"), Ok(NamePattern::Prefix("orders-".into())));
        assert_eq!(read("*"), Ok(NamePattern::All));
        assert_eq!(read("a*b"), Err(Code::E013));
        assert_eq!(read("a**"), Err(Code::E013));
        assert_eq!(read(""), Err(Code::E013));
        for text in ["orders", "orders-*", "*"] {
            assert_eq!(NamePattern::from_text(text).expect(text).to_string(), text);
        }
        assert_eq!(AclUser::from_text("any").ok(), Some(AclUser::Any));
    }
}
