//! What several tests need.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use kplan_dsl::{Abilities, Capability};

/// Every YAML file below a directory.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("a readable entry").path();
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.extend(yaml.then_some(path)),
        }
    }
    found
}

/// What a backend can do, as the table in docs/backends.md says (which is made from the backends themselves).
pub fn abilities(backend: &str) -> Abilities {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/backends.md");
    let text = std::fs::read_to_string(path).expect("docs/backends.md");
    let rows = || text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let names = rows().find(|row| row.starts_with("| `")).expect("the table's head");
    let column = names.split(" | ").position(|name| name.ends_with(&format!("`{backend}`")));
    let column = column.unwrap_or_else(|| panic!("no backend {backend} in the table")) + 1;
    let can = |capability: &&Capability| {
        let row = rows().map(|row| row.split(" | ").collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row[0] == capability.text());
        row.unwrap_or_else(|| panic!("no row for {capability:?}"))[column] != "no"
    };
    let (backend, advice): (_, fn(Capability) -> &'static str) = match backend {
        "embedded" => ("embedded", |_| "run it on real brokers: --backend docker"),
        "local" => ("local", |_| "run it in containers: --backend docker"),
        "external" => ("external", |_| "run it in containers: --backend docker"),
        other => panic!("no test of the language needs {other}"),
    };
    let can = Capability::ALL.iter().filter(can).copied().collect();
    let borrowed = backend == "external";
    Abilities { backend, can, borrowed, advice, ..Abilities::default() }
}
