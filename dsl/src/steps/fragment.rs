//! Included files.

use std::sync::Arc;

use super::read::read_steps;
use super::step::{Finally, Step};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Entry, Node};
use crate::params;
use crate::read::Reader;
use crate::scope::Scope;
use crate::source::Span;
use crate::template::{self, Rendered};
use crate::value::read_programs;

const KEYS: [&str; 7] =
    ["fragment", "name", "description", "params", "clients", "steps", "finally"];

/// Reads a fragment's steps with the parameters that the including step sets.
pub(crate) fn read_fragment(
    document: &Node,
    given: &[Entry],
    asked: Span,
    reader: &mut Reader,
) -> Option<Vec<Step>> {
    let Some(entries) = document.map() else {
        let message = format!("expected a fragment, found {}", document.describe());
        reader.push(Diagnostic::new(Code::E006, document.span, message));
        return None;
    };
    let version = document.get("fragment").and_then(Node::scalar).map(|s| s.text.as_str());
    if version != Some("v1") {
        let span = document.get("fragment").map_or(asked, |n| n.span);
        let message = "an included file must begin with `fragment: v1`";
        reader.push(Diagnostic::new(Code::E006, span, message));
        return None;
    }
    for entry in entries.iter().filter(|e| !KEYS.contains(&e.key.as_str())) {
        reader.unknown_key(&entry.key, &KEYS, "a fragment");
    }
    let outer = Arc::clone(&reader.scope);
    let inner = scope_of(document, given, &outer, reader);
    reader.scope = Arc::new(inner?);
    let steps = read_body(document, reader);
    reader.scope = Arc::new(outer.with_late_of(&reader.scope));
    steps
}

/// Reads a fragment that no plan includes: its parameters have no values yet.
pub(crate) fn read_alone(document: &Node, reader: &mut Reader) {
    let keys = document.map().unwrap_or_default().iter();
    for entry in keys.filter(|e| !KEYS.contains(&e.key.as_str())) {
        reader.unknown_key(&entry.key, &KEYS, "a fragment");
    }
    let declared = document.get("params").and_then(|node| params::declared(node, reader));
    let mut scope = (*reader.scope).clone();
    for param in declared.into_iter().flatten() {
        scope.define_late(param.name.as_str());
    }
    reader.scope = Arc::new(scope);
    read_body(document, reader);
}

/// Reads the clients and steps of a fragment.
fn read_body(document: &Node, reader: &mut Reader) -> Option<Vec<Step>> {
    if let Some(node) = document.get("clients") {
        let mut scope = (*reader.scope).clone();
        scope.add_programs(read_programs(node, reader));
        reader.scope = Arc::new(scope);
    }
    let steps = match document.get("steps") {
        Some(node) => read_steps(node, reader),
        None => Some(Vec::new()),
    };
    if let Some(node) = document.get("finally") {
        let path = std::mem::take(&mut reader.place.path);
        reader.place.path = std::iter::once("finally".to_owned()).chain(path.clone()).collect();
        let finally = read_steps(node, reader);
        reader.place.path = path;
        let Finally(mut all) = reader.take_left();
        all.extend(finally.unwrap_or_default());
        reader.leave(Finally(all));
    }
    steps
}

/// The names of the fragment: its parameters, with the values that the including step sets.
fn scope_of(
    document: &Node,
    given: &[Entry],
    outer: &Arc<Scope>,
    reader: &mut Reader,
) -> Option<Scope> {
    let declared = match document.get("params") {
        Some(node) => params::declared(node, reader)?,
        None => Vec::new(),
    };
    let mut inner = outer.bare();
    let mut complete = true;
    for entry in given {
        let Some(param) = declared.iter().find(|p| p.name.value == entry.key.value) else {
            let names: Vec<&str> = declared.iter().map(|p| p.name.as_str()).collect();
            let message = format!("the fragment has no parameter `{}`", entry.key);
            let help = did_you_mean(&entry.key, names);
            reader.push(Diagnostic::new(Code::E041, entry.key.span, message).maybe_help(help));
            complete = false;
            continue;
        };
        if param.secret {
            reader.library.hide(&entry.value);
            inner.mark_secret(&entry.key.value, []);
        }
        match template::of_node(&entry.value, outer, reader.values.as_deref()) {
            Rendered::Value(value) => {
                if let Err(wrong) = param.accept(&value, entry.value.span) {
                    reader.push(wrong);
                    complete = false;
                }
                if param.secret {
                    inner.mark_secret(&entry.key.value, template::texts(&value));
                    reader.library.hide_texts(template::texts(&value));
                }
                inner.define(entry.key.as_str(), value);
            }
            Rendered::Late => {
                inner.define_derived(entry.key.as_str(), entry.value.clone(), Arc::clone(outer))
            }
            Rendered::Failed(failure) => {
                let diagnostic = failure.at(&entry.value, &reader.library);
                reader.push(diagnostic);
                complete = false;
            }
        }
    }
    for param in &declared {
        if given.iter().any(|e| e.key.value == param.name.value) {
            continue;
        }
        match &param.default {
            Some(default) => {
                if param.secret {
                    inner.mark_secret(&param.name, template::texts(default));
                }
                inner.define(param.name.as_str(), default.clone());
            }
            None => {
                let message = format!("the fragment needs a value for `{}`", param.name);
                let missing = Diagnostic::new(Code::E040, asked_span(given, document), message);
                reader.push(missing.related(param.name.span, "declared here"));
                complete = false;
            }
        }
    }
    complete.then_some(inner)
}

fn asked_span(given: &[Entry], document: &Node) -> Span {
    given.first().map_or(document.span, |e| e.key.span)
}
