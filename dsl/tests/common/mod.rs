//! What several tests need.

use std::path::{Path, PathBuf};

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
