//! Finds comparisons of a parameter with a value that it can never have.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Kind, Node, Scalar};
use crate::matrix::Cell;
use crate::params::Declared;
use crate::read::Reader;
use crate::template::{self, Comparison};

/// Warns of every such comparison in the document.
pub(super) fn check(document: &Node, declared: &[Declared], cells: &[Cell], reader: &mut Reader) {
    let mut possible: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for param in declared.iter().filter(|p| !p.one_of.is_empty()) {
        let values = param.one_of.iter().map(template::written).collect();
        possible.insert(&param.name, values);
    }
    for (key, value) in cells.iter().flatten() {
        let in_all = cells.iter().all(|cell| cell.iter().any(|(k, _)| k.value == key.value));
        let open = declared.iter().any(|d| d.name.value == key.value && d.one_of.is_empty());
        if in_all || !open {
            possible.entry(key).or_default().push(template::written(value));
        }
    }
    if !possible.is_empty() {
        walk(document, None, &possible, reader);
    }
}

fn walk(
    node: &Node,
    key: Option<&str>,
    possible: &BTreeMap<&str, Vec<String>>,
    reader: &mut Reader,
) {
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|n| walk(n, None, possible, reader)),
        Kind::Map(entries) => {
            for entry in entries {
                walk(&entry.value, Some(&entry.key), possible, reader);
            }
        }
        Kind::Scalar(scalar) if scalar.is_template() || key == Some("when") => {
            scalar_comparisons(node, scalar, possible, reader);
        }
        Kind::Scalar(_) => {}
    }
}

fn scalar_comparisons(
    node: &Node,
    scalar: &Scalar,
    possible: &BTreeMap<&str, Vec<String>>,
    reader: &mut Reader,
) {
    for Comparison { name, literal, range } in template::comparisons(&scalar.text) {
        let Some(values) = possible.get(name.as_str()) else { continue };
        if !values.contains(&literal) {
            let span = reader.library.inside(node.span, &scalar.text, range);
            let mut known = values.clone();
            known.dedup();
            let message = format!("`{name}` never has the value `{literal}`");
            let help = format!("its values are {}", crate::words::list(&known));
            reader.push(Diagnostic::new(Code::W001, span, message).help(help));
        }
    }
}
