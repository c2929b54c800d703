//! Values that are set outside the plan for names of the matrix.

use minijinja::Value;

use super::{Given, GivenValue};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::matrix::{self, Cell};
use crate::params::{self, Declared};
use crate::read::Reader;
use crate::template;

/// Reduces the matrix to the values that are set outside the plan, and reports values of unknown parameters.
pub(super) fn pin_and_report_unknown(
    cells: &mut Vec<Cell>,
    declared: &[Declared],
    given: &[Given],
    reader: &mut Reader,
) {
    let axes: Vec<String> = cells.iter().flatten().map(|(k, _)| k.value.clone()).collect();
    for (index, one) in given.iter().enumerate() {
        let name = &one.name;
        let known = declared.iter().find(|d| d.name.value == name.value);
        let last = given.iter().rposition(|g| g.name.value == name.value) == Some(index);
        if axes.contains(&name.value) && last {
            if let Some(value) = pinned(cells, known, one, reader) {
                matrix::pin(cells, name, &value);
            }
        } else if known.is_none() && !one.optional && !axes.contains(&name.value) {
            let all =
                declared.iter().map(|d| d.name.as_str()).chain(axes.iter().map(String::as_str));
            let message = format!("the plan has no parameter `{name}`");
            let unknown = Diagnostic::new(Code::E041, name.span, message);
            reader.push(unknown.maybe_help(did_you_mean(name, all)));
        }
    }
}

/// The value to which the matrix is reduced: one that the matrix has, or one that the parameter may have.
fn pinned(
    cells: &[Cell],
    known: Option<&Declared>,
    given: &Given,
    reader: &mut Reader,
) -> Option<Value> {
    let name = &given.name.value;
    let (value, text, span) = match &given.value {
        GivenValue::Text(text) => {
            let value = known.map_or_else(|| template::of_text(text), |d| d.of_text(text));
            (value, text.value.clone(), text.span)
        }
        GivenValue::Node(node) => {
            let value = params::value_of(node, reader)?;
            let text = template::written(&value);
            (value, text, node.span)
        }
    };
    if let Some(value) = matrix::value_of_name(cells, name, &text) {
        return Some(value);
    }
    let wrong = match known {
        Some(declared) => match declared.accept(&value, span) {
            Ok(()) => return Some(value),
            Err(wrong) => wrong,
        },
        None => {
            let mut all: Vec<String> = Vec::new();
            for (_, value) in cells.iter().flatten().filter(|(k, _)| k.value == *name) {
                let value = template::written(value);
                if !all.contains(&value) {
                    all.push(value);
                }
            }
            let message = format!("the matrix has no value `{text}` of `{name}`");
            let near = did_you_mean(&text, all.iter().map(String::as_str));
            let help = near.unwrap_or_else(|| {
                format!("to set other values, declare `{name}` in `params`").into()
            });
            Diagnostic::new(Code::E040, span, message).help(help)
        }
    };
    reader.push(wrong);
    None
}
