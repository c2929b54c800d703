//! Whether a group's members are static, and by which names.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{FromText, InstanceId};
use crate::Code;
use crate::diagnostic::Diagnostic;
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;

/// Whether a group's members are static (KIP-345), and their `group.instance.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaticMembers {
    /// They are not static.
    No,
    /// They are, by names that kplan chooses.
    Numbered,
    /// They are, by these names, one for each member.
    Named(Vec<Spanned<InstanceId>>),
}

impl StaticMembers {
    /// True if the members are static.
    pub fn are_static(&self) -> bool {
        *self != Self::No
    }

    /// The names that the plan gives.
    pub fn names(&self) -> &[Spanned<InstanceId>] {
        match self {
            Self::Named(names) => names,
            _ => &[],
        }
    }
}

impl FromNode for StaticMembers {
    const EXPECTS: &'static str = "`true`, `false`, or the names of the members";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => match scalar.text.as_str() {
                "true" => Some(Self::Numbered),
                "false" => Some(Self::No),
                _ => reader.read(node).map(|name| Self::Named(vec![name])),
            },
            Kind::Seq(nodes) if nodes.is_empty() => {
                let message = "the list of names is empty";
                reader.push(Diagnostic::new(Code::E015, node.span, message));
                None
            }
            Kind::Seq(_) => reader.read(node).map(Self::Named),
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let name = InstanceId::text_schema();
        json_schema!({ "anyOf": [
            { "type": "boolean" },
            name,
            { "type": "array", "items": name, "minItems": 1 },
        ] })
    }
}

impl Meaning for StaticMembers {
    fn meaning(&self) -> Value {
        match self {
            Self::No => false.into(),
            Self::Numbered => true.into(),
            Self::Named(names) => names.iter().map(Meaning::meaning).collect(),
        }
    }
}
