//! The object that a node's processes load before all others: its file, and the part of the start script that loads it.

use super::super::{ClusterSpec, Node, addresses::HOME, disk_calls, preload};
use super::files::File;

/// Where a node has the object.
const OBJECT: &str = "kplan-preload.so";
/// The volume where a node keeps what the object needs, and its copy.
pub const PRELOAD: &str = "/kplan/preload";
const POWER: &str = "/kplan/preload/power";

/// The file that a node needs, if it has the object.
pub fn file(spec: &ClusterSpec, node: Node) -> Option<File> {
    spec.preloads(node).then(|| File::plain(OBJECT, preload::OBJECT))
}

/// The part of a node's start script after which it has the object. What the data directory has before the first start
/// counts as synced.
pub fn script(spec: &ClusterSpec) -> String {
    let (object, data) = (format!("{HOME}/{OBJECT}"), format!("{HOME}/data"));
    let clock = if spec.preload.clocks { clock() } else { String::new() };
    let calls = if spec.preload.disks { calls() } else { String::new() };
    let variables = preload::power_variables(&data, POWER);
    let exports = variables.map(|(name, value)| format!("export {name}={value}\n")).concat();
    let power = match spec.preload.power {
        true => format!(
            "if [[ ! -e {POWER}/disk ]]; then\n  \
               rm -rf {POWER}\n  mkdir {POWER}\n  \
               cp -a {data} {POWER}/new\n  mv {POWER}/new {POWER}/disk\n\
             fi\n\
             rm -f {POWER}/active\n{exports}"
        ),
        false => String::new(),
    };
    format!("{clock}{calls}{power}export LD_PRELOAD={object}\n")
}

/// The part of a node's start script after which its clock can be made wrong.
fn clock() -> String {
    format!(
        "[[ -e {PRELOAD}/clock ]] || head -c {} /dev/zero >{PRELOAD}/clock\n\
         export KPLAN_CLOCK={PRELOAD}/clock\n",
        preload::CLOCK_BYTES
    )
}

/// The part of a node's start script after which its calls can be made to fail or to take longer.
fn calls() -> String {
    let file = format!("{PRELOAD}/calls");
    let exports = preload::disk_variables(&format!("{HOME}/data"), &file)
        .map(|(name, value)| format!("export {name}={value}\n"))
        .concat();
    format!("[[ -e {file} ]] || head -c {} /dev/zero >{file}\n{exports}", disk_calls::CALLS_BYTES)
}
