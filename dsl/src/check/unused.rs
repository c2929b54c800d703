//! Finds parameters and names of the matrix that nothing in the plan uses.

use std::collections::BTreeSet;

use super::axes;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Entry, Kind, Node};
use crate::template;

/// A warning of each such name, where it is declared.
pub(super) fn warnings(document: &Node) -> Vec<Diagnostic> {
    let (mut used, mut all) = (BTreeSet::new(), Vec::new());
    collect(document, None, &mut used);
    let params = document.get("params").and_then(Node::map).unwrap_or_default();
    for param in params.iter().filter(|param| !used.contains(param.key.as_str())) {
        let message = format!("nothing in the plan uses the parameter `{}`", param.key);
        let help = format!("use it in a template: `\"{{{{ {} }}}}\"`; or remove it", param.key);
        all.push(Diagnostic::new(Code::W024, param.key.span, message).help(help));
    }
    let matrix = document.get("matrix");
    for name in axes(matrix).into_iter().filter(|name| !used.contains(name.as_str())) {
        let Some(key) = matrix.and_then(|matrix| declared(matrix, &name)) else { continue };
        let message = format!(
            "nothing in the plan uses `{name}` of the matrix, so its combinations run the same steps"
        );
        let help = format!("use it in a template: `\"{{{{ {name} }}}}\"`; or remove it");
        all.push(Diagnostic::new(Code::W024, key.key.span, message).help(help));
    }
    elements(document, &mut all);
    all
}

/// Warns of the name that a `repeat` gives to its element, if its steps do not use it.
fn elements(node: &Node, all: &mut Vec<Diagnostic>) {
    for (name, steps) in
        node.get("repeat").into_iter().filter_map(|r| r.get("as").zip(r.get("steps")))
    {
        let mut used = BTreeSet::new();
        collect(steps, None, &mut used);
        let text = name.scalar().map_or("", |scalar| &scalar.text);
        if !used.contains(text) {
            let message =
                format!("the repeated steps do not use `{text}`, so each round does the same");
            let help = format!(
                "use it in a template: `\"{{{{ {text} }}}}\"`; or write `times` in place of the list"
            );
            all.push(Diagnostic::new(Code::W024, name.span, message).help(help));
        }
    }
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|node| elements(node, all)),
        Kind::Map(entries) => entries.iter().for_each(|entry| elements(&entry.value, all)),
        Kind::Scalar(_) => {}
    }
}

/// The names in all templates and expressions.
fn collect<'n>(node: &'n Node, key: Option<&str>, used: &mut BTreeSet<&'n str>) {
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|node| collect(node, key, used)),
        Kind::Map(entries) => {
            entries.iter().for_each(|entry| collect(&entry.value, Some(&entry.key), used));
        }
        Kind::Scalar(scalar) => {
            let whole = matches!(key, Some("when" | "expr"));
            used.extend(template::names(&scalar.text, whole).into_iter().map(|(name, _)| name));
        }
    }
}

/// Where the matrix declares a name first.
fn declared<'n>(matrix: &'n Node, name: &str) -> Option<&'n Entry> {
    let of = |node: &'n Node| node.map()?.iter().find(|entry| entry.key.value == name);
    let cells = || matrix.get("include").and_then(Node::seq).unwrap_or_default();
    of(matrix).or_else(|| cells().iter().find_map(of))
}
