//! Texts with slots: templates that are filled later, for each message or for each process.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Entry, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;
use crate::template::{self, Rendered};

/// What a slot is filled with.
pub trait Slot: Clone + PartialEq + std::fmt::Debug + 'static {
    /// The name before the dot in its template.
    const ROOT: &'static str;
    /// The names behind it.
    const NAMES: &'static [&'static str];
    /// The expected form of a text, for messages.
    const EXPECTS: &'static str;
    /// Which slots there are, for messages.
    const HELP: &'static str;

    /// Reads what follows the root and the dot. The error is a code and a message.
    fn read(text: &str) -> Result<Self, (Code, String)>;

    /// Its expression.
    fn written(&self) -> String;

    /// Its template.
    fn template(&self) -> String {
        format!("{{{{ {} }}}}", self.written())
    }
}

/// A text: constant pieces, and slots between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotText<S>(Vec<SlotPart<S>>);

/// A piece of a [`SlotText`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotPart<S> {
    /// Always the same bytes.
    Constant(Vec<u8>),
    /// A value that is known later.
    Slot(S),
}

impl<S> Default for SlotText<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S> SlotText<S> {
    /// A text of these pieces.
    pub const fn new(parts: Vec<SlotPart<S>>) -> Self {
        Self(parts)
    }

    /// Its pieces.
    pub fn parts(&self) -> &[SlotPart<S>] {
        &self.0
    }

    /// The slots in their order.
    pub fn slots(&self) -> impl Iterator<Item = &S> + '_ {
        self.0.iter().filter_map(|part| match part {
            SlotPart::Slot(slot) => Some(slot),
            SlotPart::Constant(_) => None,
        })
    }

    /// Bytes of its constant pieces.
    pub fn constant_bytes(&self) -> usize {
        let length = |part: &SlotPart<S>| match part {
            SlotPart::Constant(bytes) => bytes.len(),
            SlotPart::Slot(_) => 0,
        };
        self.0.iter().map(length).sum()
    }
}

impl<S: Slot> SlotText<S> {
    /// Splits bytes at their marks; `slots` in the order of their numbers.
    pub(super) fn of(bytes: &[u8], slots: &[S]) -> Self {
        let mut parts = Vec::new();
        let mut constant = Vec::new();
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            let mark = (*first == BEGIN).then(|| read_mark(after, slots)).flatten();
            match mark {
                Some((slot, length)) => {
                    if !constant.is_empty() {
                        parts.push(SlotPart::Constant(std::mem::take(&mut constant)));
                    }
                    parts.push(SlotPart::Slot(slot));
                    rest = &after[length..];
                }
                None => {
                    constant.push(*first);
                    rest = after;
                }
            }
        }
        if !constant.is_empty() {
            parts.push(SlotPart::Constant(constant));
        }
        Self(parts)
    }
}

/// First and last byte of a mark, which stands for a slot while the other templates of a text are rendered. It is as
/// long as the slot's template, so that the places of mistakes are those of the text.
const BEGIN: u8 = 1;
const END: u8 = 2;

/// Replaces the slots of a text by marks. `None`: mistakes were reported.
pub(super) fn mark<S: Slot>(
    node: &Node,
    text: &str,
    reader: &mut Reader,
) -> Option<(String, Vec<S>)> {
    let (mut marked, mut slots) = (String::with_capacity(text.len()), Vec::new());
    let before = reader.mistakes();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        let Some(close) = text[open..].find("}}").map(|found| open + found + 2) else { break };
        let open = text[open..close].rfind("{{").map_or(open, |found| open + found);
        marked.push_str(&text[at..open]);
        let inner = text[open + 2..close - 2].trim_matches(['-', '+']).trim();
        match inner.strip_prefix(S::ROOT).map(str::trim_start).and_then(|t| t.strip_prefix('.')) {
            None => marked.push_str(&text[open..close]),
            Some(slot) => match S::read(slot.trim()) {
                Ok(slot) => {
                    marked.push(char::from(BEGIN));
                    marked.push_str(&slots.len().to_string());
                    let filled = 2 + slots.len().to_string().len();
                    marked.extend(std::iter::repeat_n(' ', (close - open).saturating_sub(filled)));
                    marked.push(char::from(END));
                    slots.push(slot);
                }
                Err((code, message)) => {
                    let span = reader.library.inside(node.span, text, open..close);
                    let name = Spanned::new(slot.trim().to_owned(), span);
                    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    let nearest = did_you_mean(&name, S::NAMES.iter().copied());
                    let help = nearest.filter(|_| is_name).unwrap_or_else(|| S::HELP.into());
                    reader.push(Diagnostic::new(code, span, message).help(help));
                }
            },
        }
        at = close;
    }
    marked.push_str(&text[at..]);
    (reader.mistakes() == before).then_some((marked, slots))
}

/// The slot of a mark, and the bytes of the mark after its first.
fn read_mark<S: Slot>(after: &[u8], slots: &[S]) -> Option<(S, usize)> {
    let end = after.iter().position(|byte| *byte == END)?;
    let number = std::str::from_utf8(&after[..end]).ok()?.trim_end().parse::<usize>().ok()?;
    Some((slots.get(number)?.clone(), end + 1))
}

impl<S: Slot> FromNode for SlotText<S> {
    const EXPECTS: &'static str = S::EXPECTS;
    const RAW: bool = true;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(scalar) = node.scalar().filter(|s| !s.is_null()) else {
            reader.expected::<Self>(node);
            return None;
        };
        let (marked, slots) = mark(node, &scalar.text, reader)?;
        match template::render(&marked, &reader.scope, reader.values.as_deref()) {
            Rendered::Value(value) => Some(Self::of(template::written(&value).as_bytes(), &slots)),
            Rendered::Late => {
                reader.mark_late();
                None
            }
            Rendered::Failed(failure) => {
                let diagnostic = failure.at(node, &reader.library);
                reader.push(diagnostic);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl<S: Slot> std::fmt::Display for SlotText<S> {
    /// As in a plan.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                SlotPart::Constant(bytes) => f.write_str(&String::from_utf8_lossy(bytes))?,
                SlotPart::Slot(slot) => f.write_str(&slot.template())?,
            }
        }
        Ok(())
    }
}

impl<S: Slot> Meaning for SlotText<S> {
    fn meaning(&self) -> Value {
        let part = |part: &SlotPart<S>| match part {
            SlotPart::Constant(bytes) => String::from_utf8_lossy(bytes).replace("{{", "{{ '{{' }}"),
            SlotPart::Slot(slot) => slot.template(),
        };
        self.0.iter().map(part).collect::<String>().into()
    }
}

/// Texts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotTexts<S>(pub Vec<(Spanned<String>, SlotText<S>)>);

impl<S> Default for SlotTexts<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Slot> SlotTexts<S> {
    /// Names and texts in the order of the plan.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SlotText<S>)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text))
    }

    /// `NAME=TEXT` of each, for sentences.
    pub(crate) fn shown(&self) -> Vec<String> {
        let text = |text: &SlotText<S>| text.meaning().as_str().unwrap_or_default().to_owned();
        self.0.iter().map(|(name, value)| format!("{name}={}", text(value))).collect()
    }
}

impl<S: Slot> FromNode for SlotTexts<S> {
    const EXPECTS: &'static str = "a map of texts";
    const JOINS_DEFAULTS: bool = true;

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(entries) = node.map() else {
            reader.expected::<Self>(node);
            return None;
        };
        let one = |entry: &Entry, reader: &mut Reader| {
            Some((entry.key.clone(), reader.read::<SlotText<S>>(&entry.value)?))
        };
        let all: Vec<_> = entries.iter().map(|entry| one(entry, reader)).collect();
        all.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let text = SlotText::<S>::schema(generator);
        json_schema!({ "type": "object", "additionalProperties": text })
    }
}

impl<S: Slot> Meaning for SlotTexts<S> {
    fn meaning(&self) -> Value {
        let each = self.0.iter().map(|(name, text)| (name.value.clone(), text.meaning()));
        let sorted: std::collections::BTreeMap<_, _> = each.collect();
        Value::Object(sorted.into_iter().collect())
    }
}
