//! Names of topics, clients, groups and steps, and values that consist of them.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{AclOperation, FromText, KafkaApi, TextError, text_schema, text_value};
use crate::Code;
use crate::document::{Kind, Node};
use crate::read::{FromNode, Reader};
use crate::schema::naming;
use crate::source::Spanned;

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident($what:literal, $expects:literal, $check:path);)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromText for $name {
            const EXPECTS: &'static str = $expects;

            fn from_text(text: &str) -> Result<Self, TextError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            fn text_schema() -> Schema {
                naming(text_schema(), $what)
            }
        }

        text_value!($name);
        crate::meaning::shown!($name);
    )+};
}

names! {
    /// The name of a topic, legal in Kafka.
    TopicName("topic", "a topic's name", legal_topic);
    /// The name of a producer or consumer.
    ClientName("client", "a client's name", plain_name);
    /// The name of a consumer group.
    GroupName("group", "a group's name", some_text);
    /// The `name` of a step.
    StepName("step", "a step's name", some_text);
    /// A name that templates can use.
    CaptureName("value", "a name of letters, digits and `_`", template_name);
    /// The `group.instance.id` of a static member.
    InstanceId("instance", "a member's static name", legal_instance);
    /// The name of a user.
    UserName("user", "a user's name", some_text);
}

fn some_text(text: &str) -> Result<(), TextError> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(TextError::new(Code::E013, "the name is empty or holds control characters"));
    }
    Ok(())
}

/// Kafka's rule (`org.apache.kafka.common.internals.Topic`): 1 to 249 of `[a-zA-Z0-9._-]`, not `.`
/// or `..`.
fn legal_topic(text: &str) -> Result<(), TextError> {
    plain_name(text)?;
    if text.len() > 249 || text == "." || text == ".." {
        return Err(TextError::new(Code::E013, format!("`{text}` is not a legal topic name")));
    }
    Ok(())
}

/// Kafka's rule for `group.instance.id` is that for names of topics (`JoinGroupRequest.validateGroupInstanceId`).
fn legal_instance(text: &str) -> Result<(), TextError> {
    plain_name(text)?;
    if text.len() > 249 || text == "." || text == ".." {
        return Err(TextError::new(
            Code::E013,
            format!("`{text}` is no legal `group.instance.id`"),
        ));
    }
    Ok(())
}

fn plain_name(text: &str) -> Result<(), TextError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        let message = format!("`{text}` is not a name");
        let help = "names are made of letters, digits, `.`, `_` and `-`";
        return Err(TextError::new(Code::E013, message).help(help));
    }
    Ok(())
}

/// Checks that templates can use a name.
pub(crate) fn template_name(text: &str) -> Result<(), TextError> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{text}` cannot be used as a name in templates");
        return Err(TextError::new(Code::E013, message).help("use letters, digits and `_`"));
    }
    if [
        "run", "env", "params", "matrix", "true", "false", "none", "not", "and", "or", "in", "is",
        "if", "else",
    ]
    .contains(&text)
    {
        return Err(TextError::new(
            Code::E055,
            format!("`{text}` is a reserved name in templates"),
        ));
    }
    Ok(())
}

/// One partition, written `orders/0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionRef {
    /// The topic.
    pub topic: TopicName,
    /// The partition, from 0.
    pub partition: u32,
}

impl FromText for PartitionRef {
    const EXPECTS: &'static str = "a partition such as `orders/0`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::new(Code::E013, format!("`{text}` is not a partition"));
        let (topic, partition) = text.rsplit_once('/').ok_or_else(wrong)?;
        let partition = partition.parse().map_err(|_| wrong())?;
        Ok(Self { topic: TopicName::from_text(topic)?, partition })
    }

    fn text_schema() -> Schema {
        let form = json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+/[0-9]+$" });
        naming(form, "partition")
    }
}

impl std::fmt::Display for PartitionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A client, or one member of a consumer: `C` or `C/2`. Members count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberRef {
    /// The client.
    pub client: ClientName,
    /// The member; without it, all members.
    pub member: Option<u32>,
}

impl FromText for MemberRef {
    const EXPECTS: &'static str = "a client such as `P`, or a member such as `C/2`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let Some((client, member)) = text.split_once('/') else {
            return Ok(Self { client: ClientName::from_text(text)?, member: None });
        };
        match member.parse() {
            Ok(n @ 1..) => Ok(Self { client: ClientName::from_text(client)?, member: Some(n) }),
            _ => {
                let message = format!("`{text}` is not a member");
                Err(TextError::new(Code::E013, message).help("members count from 1: `C/1`"))
            }
        }
    }

    fn text_schema() -> Schema {
        naming(text_schema(), "member")
    }
}

impl std::fmt::Display for MemberRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.member {
            Some(member) => write!(f, "{}/{member}", self.client),
            None => self.client.fmt(f),
        }
    }
}

text_value!(PartitionRef, MemberRef);
crate::meaning::shown!(PartitionRef, MemberRef);

macro_rules! one_or_several {
    ($($(#[doc = $doc:literal])+ $name:ident of $element:ident, $expects:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Vec<Spanned<$element>>);

        impl std::ops::Deref for $name {
            type Target = [Spanned<$element>];

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&crate::words::list(&self.0))
            }
        }

        impl crate::meaning::Meaning for $name {
            fn meaning(&self) -> serde_json::Value {
                self.0.meaning()
            }
        }

        impl FromNode for $name {
            const EXPECTS: &'static str = $expects;

            fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
                match &node.kind {
                    Kind::Seq(nodes) if nodes.is_empty() => {
                        let message = concat!("the list is empty; expected ", $expects);
                        reader.push(crate::Diagnostic::new(Code::E015, node.span, message));
                        None
                    }
                    Kind::Seq(_) => reader.read(node).map(Self),
                    Kind::Scalar(_) => reader.read(node).map(|one| Self(vec![one])),
                    Kind::Map(_) => {
                        reader.expected::<Self>(node);
                        None
                    }
                }
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                let one = $element::schema(generator);
                json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
            }
        }
    )+};
}

one_or_several! {
    /// One client or several, whole or by member.
    Clients of MemberRef, "a client or a list of clients";
    /// One operation or several.
    AclOperations of AclOperation, "an operation or a list of operations";
    /// One kind of request or several.
    KafkaApis of KafkaApi, "a request of Kafka's protocol such as `Produce`, or a list of them";
    /// One topic or several.
    Topics of TopicName, "a topic or a list of topics";
    /// One group or several.
    Groups of GroupName, "a group or a list of groups";
}

impl Clients {
    /// `the process of P`, `the processes of P and C/2`.
    pub(crate) fn processes(&self) -> String {
        format!("the process{} of {self}", if self.len() == 1 { "" } else { "es" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        assert!(TopicName::from_text("orders.v1-x_2").is_ok());
        for text in ["", ".", "..", "a b", "ö", &"x".repeat(250)] {
            assert!(TopicName::from_text(text).is_err(), "{text}");
        }
        assert!(CaptureName::from_text("before").is_ok());
        assert_eq!(CaptureName::from_text("run").expect_err("taken").code, Code::E055);
    }

    #[test]
    fn partitions_and_members() {
        let partition = PartitionRef::from_text("orders/2").expect("a partition");
        assert_eq!((partition.topic.as_str(), partition.partition), ("orders", 2));
        for text in ["orders", "orders/", "orders/-1", "/0", "orders/x"] {
            assert!(PartitionRef::from_text(text).is_err(), "{text}");
        }
        assert_eq!(MemberRef::from_text("C/2").expect("a member").member, Some(2));
        assert_eq!(MemberRef::from_text("C").expect("a client").member, None);
        assert!(MemberRef::from_text("C/0").is_err());
    }
}
