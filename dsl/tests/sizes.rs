//! How long files of the two crates may be: 500 lines, and above 300 only with a reason that stands below. The unit
//! tests at a file's end do not count for the 300.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MOST: usize = 500;
const PLAIN: usize = 300;

/// Files whose code is longer than 300 lines, and why they are not two.
const LONG: &[(&str, &str)] = &[
    (
        "dsl/src/check.rs",
        "from text to a plan, one function after the other: a file for each would hide the way",
    ),
    ("dsl/src/conditions.rs", "the roster of conditions and the functions that go over it"),
    ("dsl/src/document/parse.rs", "one parser, whose functions call each other"),
    ("dsl/src/external.rs", "one file format: its declaration and its checks"),
    ("dsl/src/facts.rs", "types only: the vocabulary of what is known of words"),
    ("dsl/src/read.rs", "one reader and the trait that it reads by, for all basic types"),
    ("dsl/src/steps.rs", "the roster of verbs and the functions that go over it"),
    (
        "dsl/src/steps/start_producer.rs",
        "the verb with the most arguments, whose checks read each other",
    ),
    (
        "dsl/src/template.rs",
        "one engine's limits, functions and errors, which the engine's types tie together",
    ),
    ("runner/src/audit/disks.rs", "one search, in the order in which it asks"),
    (
        "runner/src/audit/groups.rs",
        "one pass over the deliveries of a group, which fills one digest",
    ),
    (
        "runner/src/audit/lost.rs",
        "lost, expired and deleted are told apart by one sequence of rules",
    ),
    (
        "runner/src/audit/oracle.rs",
        "the definitions once more, for tests: read beside the judge's files",
    ),
    ("runner/src/audit/sends.rs", "one pass over what producers recorded, which fills one digest"),
    ("runner/src/audit/testing.rs", "one builder of histories for tests"),
    (
        "runner/src/client/consumer_state.rs",
        "state that librdkafka's callbacks and the poll loop share",
    ),
    ("runner/src/client/copier.rs", "one loop: poll, copy, commit, and what ends each transaction"),
    (
        "runner/src/client/handle.rs",
        "one process from its start to its end, and what is known of it",
    ),
    (
        "runner/src/client/spec.rs",
        "the part of a specification that all clients have, and the trait by which the runner knows them",
    ),
    (
        "runner/src/client/log_reader.rs",
        "one process: its loop over partitions and what it records",
    ),
    (
        "runner/src/client/raw/mod.rs",
        "the unsafe instance, its settings and its errors: kept where they are reviewed together",
    ),
    ("runner/src/cluster/admin.rs", "requests about topics, each a few lines over one client"),
    ("runner/src/cluster/config.rs", "the settings of every version, which must be read together"),
    ("runner/src/cluster/docker/lifecycle.rs", "the abilities of one backend, each a few lines"),
    ("runner/src/cluster/docker/node.rs", "one container from its creation to its removal"),
    ("runner/src/cluster/embedded.rs", "the abilities of one backend, each a few lines"),
    ("runner/src/cluster/local/node.rs", "one node's files and processes"),
    (
        "runner/src/cluster/mod.rs",
        "the types that all backends share, and the trait with one function for each ability",
    ),
    (
        "runner/src/commands/run.rs",
        "one command: its arguments, and a function for each part of a run",
    ),
    (
        "runner/src/conditions/evidence/scene.rs",
        "one reading of all histories, which answers every question about traffic",
    ),
    (
        "runner/src/conductor/schedule.rs",
        "one scheduler: what waits, what runs, what memory is left",
    ),
    ("runner/src/conductor/step.rs", "one step from its condition to its end"),
    ("runner/src/event.rs", "types only: every event of a run"),
    ("runner/src/history/query/tests.rs", "tests"),
    (
        "runner/src/record.rs",
        "types only, with what is asked of them: the record that every report reads",
    ),
    ("runner/src/record/fold.rs", "one match over all events"),
    (
        "runner/src/report/html/view.rs",
        "types only, with their construction: what the page is given",
    ),
    ("runner/src/report/json/form.rs", "types only: their comments are the published schema"),
    ("runner/src/report/junit.rs", "one format"),
    ("runner/src/segments/compacted/tests.rs", "tests"),
    (
        "runner/src/stage/audits.rs",
        "one audit from the question to the answer, with the facts about clients that it needs",
    ),
    (
        "runner/src/stage/clients.rs",
        "one client over its members and lives, and what is asked of it",
    ),
    ("runner/src/stage/mod.rs", "the list of the stage's rooms, and what concerns several of them"),
    (
        "runner/src/stage/nodes.rs",
        "what steps do to nodes: kill, stop, pause, start share their proofs",
    ),
    ("runner/src/wire/mod.rs", "one connection: its request, its answer, its limits and errors"),
];

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("sources").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, all),
            path if path.extension().is_some_and(|e| e == "rs") => all.push(path),
            _ => {}
        }
    }
}

/// All lines of each file, and those before its unit tests.
fn lengths() -> BTreeMap<String, (usize, usize)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    ["dsl/src", "runner/src"].iter().for_each(|dir| files(&root.join(dir), &mut all));
    let length = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
        (name, (text.lines().count(), code.lines().count()))
    };
    all.into_iter().map(length).collect()
}

#[test]
fn no_file_is_longer_than_500_lines_and_none_than_300_without_a_reason() {
    let lengths = lengths();
    let mut wrong = Vec::new();
    for (name, (lines, code)) in &lengths {
        let has_reason = LONG.iter().any(|(known, _)| known == name);
        if *lines > MOST {
            wrong.push(format!("{name} has {lines} lines"));
        } else if (*code > PLAIN) != has_reason {
            wrong.push(format!("{name} has {code} lines of code; it has a reason: {has_reason}"));
        }
    }
    wrong.extend(
        LONG.iter()
            .filter(|(name, _)| !lengths.contains_key(*name))
            .map(|(name, _)| format!("{name} is not there")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
