//! The table of abilities in docs/backends.md.

use std::path::Path;

use kplan::cluster::backend::{ROSTER, Setup};
use kplan_dsl::{Abilities, Capability, by_command};

/// The table as it stands in docs/backends.md.
fn table() -> String {
    let all = ROSTER.iter().map(|kind| (kind.choose)(Setup::default()).backend.abilities());
    let all: Vec<Abilities> = all.collect();
    let names: Vec<String> = all.iter().map(|can| format!("`{}`", can.backend)).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(all.len()));
    for capability in Capability::ALL {
        let cell = |can: &Abilities| match can.can.contains(capability) {
            true if can.borrowed && by_command(*capability) => "by its command",
            true => "yes",
            false => "no",
        };
        let cells: Vec<&str> = all.iter().map(cell).collect();
        text.push_str(&format!("| {} | {} |\n", capability.text(), cells.join(" | ")));
    }
    text
}

#[test]
fn the_table_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/backends.md");
    let kept = std::fs::read_to_string(&path).expect("docs/backends.md");
    let (begin, end) = ("<!-- table: begin -->\n", "<!-- table: end -->");
    let (before, rest) = kept.split_once(begin).expect("where the table begins");
    let (_, after) = rest.split_once(end).expect("where the table ends");
    let wanted = format!("{before}{begin}{}{end}{after}", table());
    if std::env::var_os("KPLAN_BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("writable");
    } else {
        assert!(
            kept == wanted,
            "docs/backends.md is old: KPLAN_BLESS=1 cargo test --test conformance"
        );
    }
}
