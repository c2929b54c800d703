//! What a secret is made of: whatever its parameter may be, here or elsewhere, is never shown.

use std::collections::BTreeSet;

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::document::Node;
use crate::library::Library;
use crate::template;

/// The texts and numbers of a value. Whether something is true cannot be hidden by stars.
pub(crate) fn of_value(value: &Value, found: &mut BTreeSet<String>) {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().for_each(|inner| of_value(&inner, found));
        }
        ValueKind::Map => {
            let inner = |key: Value| value.get_item(&key).ok();
            let all = value.try_iter().into_iter().flatten().filter_map(inner);
            all.for_each(|inner| of_value(&inner, found));
        }
        ValueKind::String | ValueKind::Number => {
            found.extend(Some(template::written(value)).filter(|text| !text.is_empty()));
        }
        _ => {}
    }
}

/// The values that the matrix gives a secret, also those of combinations that are not carried out: the
/// plan's text stands in a run's events.
pub(super) fn of_matrix(matrix: Option<&Node>, name: &str, library: &Library) {
    let Some(matrix) = matrix else { return };
    let listed = ["include", "exclude"].into_iter().filter_map(|key| matrix.get(key)?.seq());
    let combinations = listed.flatten().filter_map(|cell| cell.get(name));
    matrix.get(name).into_iter().chain(combinations).for_each(|node| library.hide(node));
}
