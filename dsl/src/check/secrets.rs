//! The texts of secrets: every value that a secret parameter can have is hidden, also where it is not used.

use crate::document::Node;
use crate::library::Library;

/// The values that a secret has in the matrix, also in combinations that do not run: the events of a run contain
/// the plan's text.
pub(super) fn of_matrix(matrix: Option<&Node>, name: &str, library: &Library) {
    let Some(matrix) = matrix else { return };
    let listed = ["include", "exclude"].into_iter().filter_map(|key| matrix.get(key)?.seq());
    let combinations = listed.flatten().filter_map(|cell| cell.get(name));
    matrix.get(name).into_iter().chain(combinations).for_each(|node| library.hide(node));
}
