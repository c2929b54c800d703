//! Removes what runs of this backend left behind: processes with the run's id in their command line, directories
//! with it in their name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::super::backend::Traces;

const DIRECTORIES: &str = "directories";
/// In a cluster's directory: the process that made it.
pub(super) const OWNER_FILE: &str = "owner";
/// How the directories' names begin; a run's id has no dot.
const NAME: &str = "kplan-local.";

/// How the name of a cluster's directory begins.
pub(super) fn prefix(run: &str, cluster: &str) -> String {
    format!("{NAME}{run}.{cluster}.")
}

/// Every run that left a directory, by id.
pub fn list_runs() -> BTreeMap<String, Traces> {
    list_in(&std::env::temp_dir())
}

fn list_in(base: &Path) -> BTreeMap<String, Traces> {
    let mut runs: BTreeMap<String, Traces> = BTreeMap::new();
    for (run, path) in directories(base) {
        let traces = runs.entry(run).or_default();
        let owner = std::fs::read_to_string(path.join(OWNER_FILE)).ok();
        traces.owner = traces.owner.take().or(owner);
        traces.things.entry(DIRECTORIES).or_default().push(path.display().to_string());
    }
    runs
}

/// Removes the directories of a run whose processes are dead. Returns those it found.
pub fn remove_run(run: &str) -> std::io::Result<Traces> {
    let removed = remove_in(&std::env::temp_dir(), run)?;
    let names = removed.iter().map(|path| path.display().to_string()).collect();
    Ok(Traces { owner: None, things: [(DIRECTORIES, names)].into() })
}

fn remove_in(base: &Path, run: &str) -> std::io::Result<Vec<PathBuf>> {
    let own = directories(base).into_iter().filter(|(of, _)| of == run).map(|(_, path)| path);
    let found: Vec<PathBuf> = own.collect();
    for path in &found {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(found)
}

/// Directories of this backend's clusters with their runs' ids.
fn directories(base: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let run = name.strip_prefix(NAME)?.split('.').next()?;
            Some((run.to_owned(), entry.path()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_finds_its_own_directories_and_no_others() {
        let base = tempfile::tempdir().expect("a directory");
        let make = |name: String| {
            let path = base.path().join(name);
            std::fs::create_dir_all(path.join("broker-1/data")).expect("a directory");
            path
        };
        let own = make(format!("{}x", prefix("r-1", "s1")));
        let other = make(format!("{}x", prefix("r-10", "s1")));
        let foreign = make("kplan-other.r-1".to_owned());
        std::fs::write(own.join(OWNER_FILE), "me").expect("a file");
        let runs = list_in(base.path());
        assert_eq!(runs.keys().collect::<Vec<_>>(), ["r-1", "r-10"]);
        assert_eq!(runs["r-1"].owner.as_deref(), Some("me"));
        assert!(!runs["r-1"].is_empty());
        assert_eq!(remove_in(base.path(), "r-1").expect("removed"), std::slice::from_ref(&own));
        assert!(!own.exists() && other.exists() && foreign.exists());
        assert!(remove_in(base.path(), "r-1").expect("nothing").is_empty());
    }
}
