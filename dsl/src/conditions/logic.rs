//! `all`, `any`, `not`: conditions made of conditions.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Condition, ConditionWord, Conditions, Judgeable};
use crate::args::WordInfo;
use crate::document::Node;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;

macro_rules! logic {
    ($($(#[doc = $doc:literal])+ $name:ident($word:literal, $example:literal, $explain:expr);)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub Conditions);

        impl $name {
            /// What the manual tells.
            pub const INFO: WordInfo = WordInfo {
                word: $word,
                doc: concat!($($doc, "\n"),+),
                examples: &[$example],
                fields: Vec::new,
                short: None,
            };
        }

        impl FromNode for $name {
            const EXPECTS: &'static str = "a list of conditions";

            fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
                if $word == "not" && node.map().is_some() {
                    let one: Option<Condition> = reader.read(node);
                    return one.map(|c| Self(Conditions(vec![Spanned::new(c, node.span)])));
                }
                reader.read(node).map(Self)
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                let one = Condition::schema(generator);
                let list = json_schema!({ "type": "array", "items": one, "minItems": 1 });
                if $word == "not" { json_schema!({ "anyOf": [list, one] }) } else { list }
            }
        }

        impl crate::meaning::Meaning for $name {
            fn meaning(&self) -> serde_json::Value {
                self.0.meaning()
            }
        }

        impl crate::args::Arguments for $name {
            fn parts<'p>(&'p self, show: &mut dyn FnMut(&'p dyn std::any::Any)) {
                show(&self.0);
            }
        }

        impl ConditionWord for $name {
            fn explain(&self) -> String {
                let all: Vec<String> = self.0.iter().map(|c| c.explain()).collect();
                let explain: fn(&[String]) -> String = $explain;
                explain(&all)
            }

            fn judged(&self) -> Judgeable {
                Judgeable::Plain
            }
        }
    )+};
}

logic! {
    /// Every one of these conditions holds.
    All("all", "all: [{ lost: 0 }, { phantom: 0 }]", |all| format!("all of ({})", all.join("; ")));
    /// At least one of these conditions holds.
    Any("any", "any: [{ controller: 1 }, { controller: 2 }]", |all| format!("any of ({})", all.join("; ")));
    /// Not every one of these conditions holds.
    Not("not", "not: [{ brokers_alive: 3 }]", |all| format!("not ({})", all.join("; ")));
}
