//! One name for one thing: no two types of the two crates share one, private ones included.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names that are still declared more than once; the list may only become shorter.
const TWICE: &str = "\
    Always Anomaly Answer Answered Asked At Authority Bounds Broker Brokers Cell Change Changed \
    Checked Chosen Client Code Common Comparison Condition Controller Count Counted Counts \
    Delivery Desk Disk Ended Entry Example Exit Fate Fault Format Full Given Group Guarded Handle \
    Header Inner Judged Keys Kind Known Lag Latencies Limits Line Lines Log Logs Measured Member Memory \
    Message Named Names Next Nobody Node OnDisk Open Outcome Page Pair Party Pass Placement Places \
    Position Reading Refusal Room Row Run Runs Scope Screen Seen Sending Settings Shared Source State \
    Stats Step Stream Suite Taken Tally Target TopicFacts Trouble UncleanElection Wanted Who Window \
    Words";

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("sources").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, all),
            path if path.extension().is_some_and(|e| e == "rs") => all.push(path),
            _ => {}
        }
    }
}

/// The name of the type that a line declares; types of an implementation stand under their trait's name.
fn declared(line: &str) -> Option<&str> {
    let indented = line.starts_with(' ');
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let (kind, rest) = line.split_once(' ')?;
    let known = match kind {
        "struct" | "enum" | "trait" => true,
        "type" => !indented,
        _ => false,
    };
    let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    (known && name.starts_with(|c: char| c.is_ascii_uppercase())).then_some(name)
}

#[test]
fn no_two_types_share_a_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    files(&root.join("dsl/src"), &mut all);
    files(&root.join("runner/src"), &mut all);
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in &all {
        let text = std::fs::read_to_string(path).expect("a source");
        for name in text.lines().filter_map(declared) {
            names.entry(name.to_owned()).or_default().push(path.display().to_string());
        }
    }
    assert!(names.len() > 500, "types are found at all");
    let twice: Vec<&str> = TWICE.split_whitespace().collect();
    names.retain(|_, places| places.len() > 1);
    let new: Vec<_> = names.iter().filter(|(name, _)| !twice.contains(&name.as_str())).collect();
    assert!(new.is_empty(), "declared twice: {new:#?}");
    let gone: Vec<_> = twice.into_iter().filter(|name| !names.contains_key(*name)).collect();
    assert!(gone.is_empty(), "take out of the list: {gone:?}");
}

#[test]
fn a_declaration_is_seen_however_visible_it_is() {
    for line in
        ["struct A {", "pub enum A {", "pub(crate) trait A: B {", "    pub(in crate::b) struct A;"]
    {
        assert_eq!(declared(line), Some("A"), "{line}");
    }
    assert_eq!(declared("type A<T> = B<T>;"), Some("A"));
    for line in ["    type Target = B;", "// struct A", "let a = struct_of(A);", "structure A {"] {
        assert_eq!(declared(line), None, "{line}");
    }
}
