//! The matrix, which makes one suite for each combination.

use std::collections::BTreeSet;

use minijinja::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Entry, Node};
use crate::params::value_of;
use crate::read::Reader;
use crate::source::Spanned;
use crate::template::written;

/// One combination, in the order of the matrix.
pub(crate) type Cell = Vec<(Spanned<String>, Value)>;

/// The greatest number of combinations of one plan.
const MOST_CELLS: usize = 256;

/// The greatest number of names in a matrix.
const MOST_AXES: usize = 64;

/// Reads all combinations. `None`: a mistake was reported.
pub(crate) fn cells(node: &Node, reader: &mut Reader) -> Option<Vec<Cell>> {
    let Some(entries) = node.map() else {
        let message = format!("expected a map, found {}", node.describe());
        let help = "write a list for each name, such as `acks: [1, all]`: each value makes a suite";
        reader.push(Diagnostic::new(Code::E012, node.span, message).help(help));
        return None;
    };
    let listed = |key: &str| entries.iter().find(|e| e.key.value == key);
    let axes: Vec<&Entry> =
        entries.iter().filter(|e| e.key.value != "include" && e.key.value != "exclude").collect();
    bounded(&axes, [listed("include"), listed("exclude")], reader)?;
    let mut cells: Vec<Cell> = if axes.is_empty() { Vec::new() } else { vec![Vec::new()] };
    for axis in axes {
        let values = axis_values(axis, reader)?;
        let with = |cell: &Cell, value: &Value| {
            let mut cell = cell.clone();
            cell.push((axis.key.clone(), value.clone()));
            cell
        };
        cells = cells.iter().flat_map(|c| values.iter().map(move |v| with(c, v))).collect();
    }
    if let Some(exclude) = listed("exclude") {
        for pattern in combinations(&exclude.value, reader)? {
            let before = cells.len();
            cells.retain(|cell| !matches(cell, &pattern));
            if cells.len() == before {
                let span = pattern.first().map_or(exclude.value.span, |(key, _)| key.span);
                let message = "this `exclude` entry matches no combination";
                reader.push(Diagnostic::new(Code::E042, span, message));
            }
        }
    }
    if let Some(include) = listed("include") {
        for cell in combinations(&include.value, reader)? {
            if !cells.iter().any(|c| c.len() == cell.len() && matches(c, &cell)) {
                cells.push(cell);
            }
        }
    }
    if cells.is_empty() || cells.len() > MOST_CELLS {
        let message =
            format!("{} combinations: between 1 and {MOST_CELLS} are possible", cells.len());
        reader.push(Diagnostic::new(Code::E042, node.span, message));
        return None;
    }
    Some(cells)
}

/// Reports a matrix with too many axes, combinations or entries before the combinations are made.
fn bounded(axes: &[&Entry], lists: [Option<&Entry>; 2], reader: &mut Reader) -> Option<()> {
    let mut refuse = |span, message| {
        reader.push(Diagnostic::new(Code::E042, span, message));
        None
    };
    if let Some(axis) = axes.get(MOST_AXES) {
        return refuse(axis.key.span, format!("more than {MOST_AXES} axes"));
    }
    let mut product = 1_usize;
    for axis in axes {
        product = product.saturating_mul(axis.value.seq().map_or(1, |nodes| nodes.len().max(1)));
        if product > MOST_CELLS {
            return refuse(axis.key.span, format!("more than {MOST_CELLS} combinations"));
        }
    }
    for list in lists.into_iter().flatten() {
        let nodes = list.value.seq().unwrap_or_default();
        if let Some(node) = nodes.get(MOST_CELLS) {
            return refuse(node.span, format!("more than {MOST_CELLS} in `{}`", list.key));
        }
        for node in nodes {
            if let Some(entry) = node.map().and_then(|entries| entries.get(MOST_AXES)) {
                return refuse(entry.key.span, format!("more than {MOST_AXES} axes"));
            }
        }
    }
    Some(())
}

/// True if the cell has all of the pattern's values.
fn matches(cell: &Cell, pattern: &Cell) -> bool {
    pattern.iter().all(|(key, value)| {
        cell.iter().any(|(k, v)| k.value == key.value && written(v) == written(value))
    })
}

fn axis_values(axis: &Entry, reader: &mut Reader) -> Option<Vec<Value>> {
    check_name(&axis.key, reader)?;
    let nodes = axis.value.seq().filter(|nodes| !nodes.is_empty());
    let Some(nodes) = nodes else {
        let message = format!("`{}` needs a list with at least one value", axis.key);
        reader.push(Diagnostic::new(Code::E042, axis.value.span, message));
        return None;
    };
    let mut values: Vec<Value> = Vec::with_capacity(nodes.len());
    let mut seen = BTreeSet::new();
    for node in nodes {
        let value = value_of(node, reader)?;
        let shown = written(&value);
        if !seen.insert(shown.clone()) {
            let message = format!("`{shown}` is listed twice among the values of `{}`", axis.key);
            reader.push(Diagnostic::new(Code::E042, node.span, message));
        }
        values.push(value);
    }
    Some(values)
}

fn combinations(node: &Node, reader: &mut Reader) -> Option<Vec<Cell>> {
    let Some(nodes) = node.seq() else {
        let message = format!("expected a list of combinations, found {}", node.describe());
        reader.push(Diagnostic::new(Code::E012, node.span, message));
        return None;
    };
    let mut all = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(entries) = node.map().filter(|e| !e.is_empty()) else {
            let message = format!("expected a combination, found {}", node.describe());
            let help = "a combination is a map such as `{ version: 4.1.1, mode: kraft }`";
            reader.push(Diagnostic::new(Code::E012, node.span, message).help(help));
            return None;
        };
        let mut cell = Cell::new();
        for entry in entries {
            check_name(&entry.key, reader)?;
            cell.push((entry.key.clone(), value_of(&entry.value, reader)?));
        }
        all.push(cell);
    }
    Some(all)
}

fn check_name(key: &Spanned<String>, reader: &mut Reader) -> Option<()> {
    match crate::value::is_template_name(key) {
        Ok(()) => Some(()),
        Err(wrong) => {
            let diagnostic = Diagnostic::new(wrong.code, key.span, wrong.message);
            reader.push(diagnostic.maybe_help(wrong.help));
            None
        }
    }
}

/// The value of a name in the matrix that has this text, with its type.
pub(crate) fn value_of_name(cells: &[Cell], name: &str, text: &str) -> Option<Value> {
    let all = cells.iter().flatten().filter(|(k, _)| k.value == name).map(|(_, value)| value);
    all.into_iter().find(|value| written(value) == text).cloned()
}

/// Keeps the combinations with a value that is set from outside. If no combination has it, all get it.
pub(crate) fn pin(cells: &mut Vec<Cell>, name: &str, value: &Value) {
    let wanted = written(value);
    let has = |cell: &Cell| cell.iter().any(|(k, v)| k.value == name && written(v) == wanted);
    if cells.iter().any(has) {
        cells.retain(has);
        return;
    }
    for cell in cells.iter_mut() {
        for (key, old) in cell.iter_mut() {
            if key.value == name {
                *old = value.clone();
            }
        }
    }
    let mut seen: Vec<Vec<(String, String)>> = Vec::new();
    cells.retain(|cell| {
        let texts: Vec<(String, String)> =
            cell.iter().map(|(k, v)| (k.value.clone(), written(v))).collect();
        let new = !seen.contains(&texts);
        seen.push(texts);
        new
    });
}
