//! What a template is in each combination of a plan's matrix, for editors.

use std::path::Path;
use std::sync::Arc;

use super::{Check, Options, cell};
use crate::library::{Files, Library};
use crate::template::{self, Rendered};
use crate::visible::{SECRET, one_line_within, secret_forms};

/// The value of a template in one combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellValue {
    /// It is known before the run.
    Known(String),
    /// Only the run knows it.
    Late,
    /// It has a mistake, or uses a name that this file does not have.
    Unknown,
}

/// The longest value that is shown, in bytes.
const LONGEST: usize = 200;

/// The value of a text with templates in each combination of the matrix of the plan at `path`, with the text of the
/// combination. `late` are names whose values only the run knows. Secrets are replaced by stars.
pub fn template_values(
    path: &Path,
    options: &Options,
    files: Box<dyn Files>,
    text: &str,
    late: &[&str],
) -> Vec<(String, CellValue)> {
    let library = Arc::new(Library::new(files));
    let Ok((_, document)) = library.load(path, None) else { return Vec::new() };
    let mut check = Check::new(library, options);
    let prepared = check.prepared(&document);
    check.secrets.extend(check.library.secrets());
    let secrets: Vec<String> = check.secrets.iter().flat_map(|s| secret_forms(s)).collect();
    let mut all = Vec::with_capacity(prepared.cells.len());
    for one in &prepared.cells {
        let mut reader = check.reader(prepared.scope.clone());
        let mut scope = cell::scope_of(&prepared.scope, one, &prepared.params(), &mut reader);
        let unknown = late.iter().filter(|name| scope.known(name).is_none());
        unknown.copied().collect::<Vec<_>>().into_iter().for_each(|name| scope.define_late(name));
        let value = match template::evaluate(text, &Arc::new(scope), None) {
            Rendered::Value(value) => CellValue::Known(shown(template::written(&value), &secrets)),
            Rendered::Late => CellValue::Late,
            Rendered::Failed(_) => CellValue::Unknown,
        };
        let pairs = one.iter().map(|(key, value)| format!("{key}={}", template::written(value)));
        let label = shown(pairs.collect::<Vec<_>>().join(", "), &secrets);
        all.push((label, value));
    }
    all
}

fn shown(mut text: String, secrets: &[String]) -> String {
    for secret in secrets.iter().filter(|secret| !secret.trim().is_empty()) {
        text = text.replace(secret.as_str(), SECRET);
    }
    one_line_within(&text, LONGEST)
}
