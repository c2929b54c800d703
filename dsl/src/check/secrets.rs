//! What a secret is made of: whatever its parameter may be, here or elsewhere, is never shown.

use crate::document::Node;
use crate::library::Library;

/// The values that the matrix gives a secret, also those of combinations that are not carried out: the
/// plan's text stands in a run's events.
pub(super) fn of_matrix(matrix: Option<&Node>, name: &str, library: &Library) {
    let Some(matrix) = matrix else { return };
    let listed = ["include", "exclude"].into_iter().filter_map(|key| matrix.get(key)?.seq());
    let combinations = listed.flatten().filter_map(|cell| cell.get(name));
    matrix.get(name).into_iter().chain(combinations).for_each(|node| library.hide(node));
}
