//! Finds values that a template takes from a capture, and that the captured step does not have.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Kind, Node};
use crate::library::Library;
use crate::template;

/// The names of the values of each capture.
type Captured<'n> = BTreeMap<&'n str, BTreeSet<String>>;

/// An error for each such value. A plan that includes others is left out: they may capture under the same name.
pub(super) fn errors(document: &Node, library: &Library) -> Vec<Diagnostic> {
    let (mut captured, mut open) = (Captured::new(), false);
    captures(document, &mut captured, &mut open);
    let mut all = Vec::new();
    if !open && !captured.is_empty() {
        walk(document, None, &captured, library, &mut all);
    }
    all
}

/// Collects what each `record` with `capture` keeps. `open` becomes true if that is not known.
fn captures<'n>(node: &'n Node, captured: &mut Captured<'n>, open: &mut bool) {
    // `include` of a matrix is a list, that of a step is none.
    *open |= node.get("include").is_some_and(|value| value.seq().is_none());
    if let Some((name, record)) = node.get("capture").zip(node.get("record")) {
        match (name.scalar(), recorded(record)) {
            (Some(name), Some(words)) => captured.entry(&name.text).or_default().extend(words),
            _ => *open = true,
        }
    }
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|node| captures(node, captured, open)),
        Kind::Map(entries) => {
            entries.iter().for_each(|entry| captures(&entry.value, captured, open));
        }
        Kind::Scalar(_) => {}
    }
}

/// The names of the values that a `record` gives: the words of its conditions, the second of a word with `_2`.
fn recorded(record: &Node) -> Option<Vec<String>> {
    let conditions = record.seq().or_else(|| record.get("that")?.seq())?;
    let mut names: Vec<String> = Vec::new();
    for condition in conditions {
        let word = match &condition.kind {
            Kind::Scalar(scalar) => scalar.text.as_str(),
            Kind::Map(entries) => entries.first()?.key.as_str(),
            Kind::Seq(_) => return None,
        };
        let again = (2..).map(|number| format!("{word}_{number}"));
        let mut free = std::iter::once(word.to_owned()).chain(again);
        names.push(free.find(|name| !names.contains(name))?);
    }
    Some(names)
}

fn walk(
    node: &Node,
    key: Option<&str>,
    captured: &Captured<'_>,
    library: &Library,
    all: &mut Vec<Diagnostic>,
) {
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|n| walk(n, key, captured, library, all)),
        Kind::Map(entries) => {
            for entry in entries {
                walk(&entry.value, Some(&entry.key), captured, library, all);
            }
        }
        Kind::Scalar(scalar) => {
            let whole = matches!(key, Some("when" | "expr"));
            for (name, range) in template::names(&scalar.text, whole) {
                let Some(words) = captured.get(name) else { continue };
                let Some(asked) = attribute(&scalar.text[range.end..]) else { continue };
                if words.contains(asked) {
                    continue;
                }
                let begin = range.end + 1;
                let span = library.inside(node.span, &scalar.text, begin..begin + asked.len());
                let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                let near = did_you_mean(asked, words.iter().map(String::as_str));
                let help = near.unwrap_or_else(|| {
                    format!("the step records {}", crate::words::list(&known)).into()
                });
                let message = format!("`{name}` has no value `{asked}`");
                all.push(Diagnostic::new(Code::E031, span, message).help(help));
            }
        }
    }
}

/// The name behind a dot at the beginning of a text.
fn attribute(text: &str) -> Option<&str> {
    let behind = text.strip_prefix('.')?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let name = behind.split(|c| !is_word(c)).next()?;
    (!name.is_empty()).then_some(name)
}
