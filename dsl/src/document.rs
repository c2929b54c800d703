//! The tree of a YAML document, in which every node has its place.

use serde_json::Value;

use crate::source::{Span, Spanned};

mod parse;

pub(crate) use parse::read;
pub use parse::{Limits, parse};

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be read as a number, a boolean or null.
    Plain,
    /// In quotes or as a block: text.
    Quoted,
    /// Made by a template: text that may also be read as a number or boolean.
    Rendered,
}

/// A scalar as text. The reader of a field gives it a type.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The text, with YAML's escapes resolved.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// The kind of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the file, with distinct keys.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

/// A node of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its place.
    pub span: Span,
    /// Its kind.
    pub kind: Kind,
}

impl Node {
    /// A scalar made by a template at a place.
    pub fn rendered(text: String, span: Span) -> Self {
        Self { span, kind: Kind::Scalar(Scalar { text, style: Style::Rendered }) }
    }

    /// The node of an absent value: an empty plain scalar.
    pub fn null(span: Span) -> Self {
        Self { span, kind: Kind::Scalar(Scalar { text: String::new(), style: Style::Plain }) }
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn seq(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::Seq(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn map(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|e| e.key.value == key).map(|e| &e.value)
    }

    /// True for an empty or null plain scalar.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(Scalar::is_null)
    }

    /// A description for messages: `a list`, `a map`, `the text "x"`, `the number 3`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Seq(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Scalar(s) if s.is_null() => "nothing".to_owned(),
            Kind::Scalar(s) => s.describe(),
        }
    }
}

impl Scalar {
    /// True for what YAML reads as null.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// True if it contains a template that must be rendered.
    pub fn is_template(&self) -> bool {
        self.style != Style::Rendered && self.text.contains("{{")
    }

    fn describe(&self) -> String {
        let mut shown: String = self.text.chars().take(40).collect();
        if shown.len() < self.text.len() {
            shown.push('…');
        }
        match self.style {
            Style::Quoted => format!("the text \"{shown}\""),
            _ => format!("`{shown}`"),
        }
    }
}

/// A node as JSON. Plain scalars get the types of YAML's core schema.
pub fn json_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().map(json_of).collect(),
        Kind::Map(entries) => {
            entries.iter().map(|e| (e.key.value.clone(), json_of(&e.value))).collect()
        }
        Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
        Kind::Scalar(scalar) if scalar.style == Style::Quoted => scalar.text.as_str().into(),
        Kind::Scalar(scalar) => match scalar.text.as_str() {
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            text => number(text).unwrap_or_else(|| text.into()),
        },
    }
}

/// A number of YAML's core schema.
fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit());
    let float = text.parse::<f64>().ok().filter(|_| numeric)?;
    serde_json::Number::from_f64(float).map(Value::Number)
}
