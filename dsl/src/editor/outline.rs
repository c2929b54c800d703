//! The outline of a file, and what of it can be folded.

use super::file::EditorFile;
use super::spots::{SpotPart, Spots};
use crate::document::{Kind, Node};
use crate::forms::Forms;
use crate::source::{Source, Span};
use crate::steps::Verb;

/// What a part of an outline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlineKind {
    /// A key of the file.
    Section,
    /// A step.
    Step,
    /// A parameter, a name of the matrix, a client program.
    Name,
}

/// A part of an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinePart {
    /// What it is.
    pub kind: OutlineKind,
    /// Its title.
    pub title: String,
    /// A few words beside it.
    pub detail: String,
    /// Its place.
    pub span: Span,
    /// The place of its title.
    pub head: Span,
    /// What it contains.
    pub parts: Vec<OutlinePart>,
}

/// The outline of a file.
pub fn outline(file: &EditorFile) -> Vec<OutlinePart> {
    let Some(entries) = file.root().and_then(Node::map) else { return Vec::new() };
    let forms = Forms::of_file();
    let part = |entry: &crate::document::Entry| {
        let value = forms.key(&entry.key).unwrap_or_default();
        let mut parts = Vec::new();
        steps(&entry.value, &value, file.source(), &mut parts);
        if matches!(entry.key.as_str(), "params" | "matrix" | "clients") {
            parts.extend(entry.value.map().unwrap_or_default().iter().map(|inner| OutlinePart {
                kind: OutlineKind::Name,
                title: inner.key.value.clone(),
                detail: short(&inner.value, file.source()),
                span: inner.key.span.to(inner.value.span),
                head: inner.key.span,
                parts: Vec::new(),
            }));
        }
        OutlinePart {
            kind: OutlineKind::Section,
            title: entry.key.value.clone(),
            detail: short(&entry.value, file.source()),
            span: entry.key.span.to(entry.value.span),
            head: entry.key.span,
            parts,
        }
    };
    entries.iter().map(part).collect()
}

/// The steps in a value, each with the steps in it.
fn steps(node: &Node, forms: &Forms, source: &Source, all: &mut Vec<OutlinePart>) {
    if forms.is_step() {
        all.extend(step(node, forms, source));
        return;
    }
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Seq(nodes) => {
            let item = forms.item().unwrap_or_default();
            nodes.iter().for_each(|node| steps(node, &item, source, all));
        }
        Kind::Map(entries) => {
            for entry in entries {
                let value = forms.key(&entry.key).unwrap_or_default();
                steps(&entry.value, &value, source, all);
            }
        }
    }
}

fn step(node: &Node, forms: &Forms, source: &Source) -> Option<OutlinePart> {
    let made = |word: &str, name: Option<&str>, detail: String, head: Span, parts| OutlinePart {
        kind: OutlineKind::Step,
        title: name.unwrap_or(word).to_owned(),
        detail: if name.is_some() { format!("{word} {detail}").trim().to_owned() } else { detail },
        span: node.span,
        head,
        parts,
    };
    if let Some(word) = node.scalar().filter(|scalar| !scalar.is_null()) {
        return Some(made(&word.text, None, String::new(), node.span, Vec::new()));
    }
    let entries = node.map()?;
    let verb = entries.iter().find(|entry| Verb::known(&entry.key).is_some());
    let verb = verb.or(entries.first())?;
    let mut parts = Vec::new();
    let inner = forms.key(&verb.key).unwrap_or_default();
    steps(&verb.value, &inner, source, &mut parts);
    let name = node.get("name").and_then(Node::scalar).map(|scalar| scalar.text.as_str());
    Some(made(&verb.key, name, short(&verb.value, source), verb.key.span, parts))
}

/// The longest text beside a title, in characters.
const LONGEST: usize = 60;

/// A value as it is written, if it stands on one line.
fn short(node: &Node, source: &Source) -> String {
    let text = source.slice(node.span);
    if text.contains('\n') || node.is_null() {
        return String::new();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The lines (from 0) of what can be folded: steps and sections that have several lines.
pub fn folds(file: &EditorFile) -> Vec<(u32, u32)> {
    let Some(root) = file.root() else { return Vec::new() };
    let source = file.source();
    let lines = |span: Span| {
        let last = span.end.saturating_sub(1).max(span.start);
        (source.line(span.start) - 1, source.line(last) - 1)
    };
    let spots = Spots::of(root);
    let steps = spots.iter().filter(|spot| spot.forms.is_step());
    let steps = steps.filter(|spot| matches!(spot.part, SpotPart::Holder(_)));
    let sections = root.map().unwrap_or_default().iter();
    let sections = sections.map(|entry| lines(entry.key.span.to(entry.value.span)));
    let mut all: Vec<(u32, u32)> =
        sections.chain(steps.map(|spot| lines(spot.span))).filter(|(a, b)| a < b).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The place of a key of the file, such as that of `matrix`.
pub fn section(file: &EditorFile, key: &str) -> Option<Span> {
    let entries = file.root().and_then(Node::map)?;
    entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.key.span)
}
