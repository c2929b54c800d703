//! What the backends share that change bytes of files on disks.

use super::{Node, RigError};
use crate::segments::FileEdit;

/// The most bytes of a file that are looked at before and after a change; only what is cut off can be longer.
const LOOKED_AT: u64 = 64 << 10;

/// How many bytes from the beginning of an edit's range show whether it has an effect.
pub fn looked_at(edit: &FileEdit) -> u64 {
    (edit.range.end - edit.range.start).min(LOOKED_AT)
}

/// The error for files that could not be read or changed.
pub fn failed(node: Node, why: &str) -> RigError {
    let why = why.trim();
    RigError::Other(format!("files on the disk of {node} could not be changed: {why}"))
}
