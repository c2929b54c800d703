//! The space of a broker's small disk: scripts that take it and free it.

use super::super::{ClusterSpec, Node, RigError};
use super::command::{BY, FROM, Output};

/// The file that takes the space.
const FILLER: &str = ".kplan-filler";
/// The block size of the file system: free space cannot be set more exactly.
pub const BLOCK: u64 = 4096;

/// The size of a broker's disk in bytes.
///
/// # Errors
/// If it has no limit: then it must not be filled.
pub fn size(spec: &ClusterSpec, node: Node, backend: &'static str) -> Result<u64, RigError> {
    let limited = spec.disk.filter(|_| matches!(node, Node::Broker(_)));
    limited.ok_or_else(|| {
        let what = format!("fill the disk of {node}: it has no disk of a limited size");
        RigError::Unsupported { backend, what }
    })
}

/// Fills the disk of this size that a directory is on, up to `leave` free bytes.
pub fn fill_script(dir: &str, size: u64, leave: u64) -> String {
    // Whatever was made of the size: more than the machine can spare must not be taken.
    let most = size.saturating_mul(2);
    // The broker goes on writing: what was free may be less a moment later.
    format!(
        "cd {dir}; free() {{ df -B1 --output=avail . | tail -n 1 | tr -d ' '; }}\n\
         has=$(df -B1 --output=size . | tail -n 1)\n\
         [ $has -gt {most} ] && echo \"it has $has bytes, and not {size}\" && exit\n\
         {FROM}; for i in 1 2 3 4 5; do\n\
           n=$(( $(free) - {leave} )); [ $n -le {BLOCK} ] && break\n\
           fallocate -l $n {FILLER}-$RANDOM$RANDOM 2>/dev/null && break\n\
         done; {BY}; free"
    )
}

/// Whether [`fill_script`] took the space.
pub fn filled(node: Node, output: &Output, leave: u64) -> Result<(), RigError> {
    let text = output.text();
    let left = text.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    match left {
        Some(left) if left <= leave.saturating_add(2 * BLOCK) => Ok(()),
        Some(left) => Err(RigError::Other(format!(
            "the disk of {node} was filled, but {left} bytes are free instead of {leave}"
        ))),
        None => Err(RigError::Other(format!("the disk of {node} could not be filled: {text}"))),
    }
}

/// Frees what [`fill_script`] took.
pub fn free_script(dir: &str) -> String {
    format!("cd {dir} && rm -f {FILLER}-* && df -B1 --output=avail . | tail -n 1")
}

/// The free bytes after [`free_script`].
pub fn freed(node: Node, output: &Output) -> Result<u64, RigError> {
    let text = output.text();
    text.trim().parse().map_err(|_| {
        RigError::Other(format!("the disk of {node} could not be freed: {}", text.trim()))
    })
}
