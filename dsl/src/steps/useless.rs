//! Keys that every step may have, and that say nothing about some.

use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::facts::StepEnds;
use crate::read::Reader;

/// Reports `capture` of a step that has no value, and `expect_error` of a step that has no error.
pub(super) fn keys(node: &Node, verb: &str, ends: StepEnds, reader: &mut Reader) {
    let entries = node.map().unwrap_or_default();
    for key in entries.iter().map(|entry| &entry.key).filter(|key| !ends.allows(key)) {
        let (why, help) = match key.as_str() {
            "capture" => (
                format!("`{verb}` has no value that `capture` could keep"),
                "add a step that has one: `record: [acked]` with `capture: before`",
            ),
            _ => (
                format!("`{verb}` has no error: a condition that does not hold is a failure"),
                "judge what is meant to hold: `assert: [{ not: { brokers_alive: 3 } }]`",
            ),
        };
        let useless = Diagnostic::new(Code::E016, key.span, why);
        reader.push(useless.label("of no use here").help(help));
    }
}
