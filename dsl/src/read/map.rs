//! A map that is read key by key. At the end, keys that were not read are reported.

use crate::diagnostic::{Code, Diagnostic, Fix};
use crate::document::{Entry, Kind, Node};
use crate::source::{Span, Spanned};

use super::{FromNode, NOWHERE, Reader};

/// Reads the keys of a map one after the other.
#[derive(Debug)]
pub struct MapReader<'n> {
    entries: &'n [Entry],
    short: Option<(&'static str, &'n Node)>,
    defaults: Option<&'n Node>,
    asked: Vec<&'static str>,
    word: &'static str,
    span: Span,
}

impl<'n> MapReader<'n> {
    pub(super) const fn of_entries(entries: &'n [Entry]) -> Self {
        Self { entries, short: None, defaults: None, asked: Vec::new(), word: "", span: NOWHERE }
    }

    pub(super) fn of_short(key: &'static str, node: &'n Node) -> Self {
        Self { short: Some((key, node)), ..Self::of_entries(&[]) }
    }

    pub(super) fn within(self, word: &'static str, span: Span, defaults: Option<&'n Node>) -> Self {
        Self { word, span, defaults, ..self }
    }

    /// The place of the whole map.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The node of a key: from the step, or from the plan's defaults.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        let own = self.own(key);
        own.or_else(|| self.defaults.and_then(|d| d.get(key)))
    }

    fn own(&self, key: &str) -> Option<&'n Node> {
        match self.short {
            Some((short, node)) if short == key => Some(node),
            _ => self.entries.iter().find(|e| e.key.value == key).map(|e| &e.value),
        }
    }

    /// Reads a key. If it is absent, its value is the absent value of its type; without one it is missing.
    pub fn field<T: FromNode>(&mut self, key: &'static str, reader: &mut Reader) -> Option<T> {
        let Some(node) = self.node(key) else {
            let absent = T::missing();
            if absent.is_none() {
                let message = format!("`{}` needs `{key}`", self.word);
                let help = format!("`{key}` is {}", T::EXPECTS);
                let missing = Diagnostic::new(Code::E011, self.span, message).help(help);
                reader.push(missing.fix(Fix::AddKey(key)));
            }
            return absent;
        };
        self.read_joined(key, node, reader)
    }

    /// Reads a key that has a default, which is written as in a plan.
    pub fn field_or<T: FromNode>(
        &mut self,
        key: &'static str,
        reader: &mut Reader,
        default: &str,
    ) -> Option<T> {
        match self.node(key) {
            Some(node) => self.read_joined(key, node, reader),
            None => T::from_node(&Node::rendered(default.to_owned(), self.span), reader),
        }
    }

    fn read_joined<T: FromNode>(&self, key: &str, node: &Node, reader: &mut Reader) -> Option<T> {
        let default = self.defaults.filter(|_| T::JOINS_DEFAULTS).and_then(|d| d.get(key));
        match (default.and_then(Node::map), node.map()) {
            (Some(base), Some(own)) => {
                let kept = base.iter().filter(|b| own.iter().all(|o| o.key != b.key));
                let joined = kept.chain(own).cloned().collect();
                reader.read(&Node { span: node.span, kind: Kind::Map(joined) })
            }
            _ => reader.read(node),
        }
    }

    /// The place of a key, or of the whole map when it is absent.
    pub fn span_of(&self, key: &str) -> Span {
        self.own(key).map_or(self.span, |node| node.span)
    }

    /// True if the map itself has the key.
    pub fn has(&self, key: &str) -> bool {
        self.own(key).is_some()
    }

    /// The keys that were not read.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'n Entry> {
        self.entries.iter().filter(|e| !self.asked.contains(&e.key.as_str()))
    }

    /// Reports the keys that were not read.
    pub fn finish(self, reader: &mut Reader) {
        let unknown: Vec<&Spanned<String>> = self.rest().map(|e| &e.key).collect();
        for key in unknown {
            reader.unknown_key(key, &self.asked, &format!("`{}`", self.word));
        }
    }
}
