//! The judgement on real brokers, where it needs their disks (ignored unless asked for), with an engine
//! and the images of `ci/kafka-image 0.10.1.1 4.1.1`. And that every rule of it has its test.

mod common;

use std::collections::BTreeMap;

use common::{left_behind, real, root, run};
use kplan::{
    event::{Holds, OnDisk, SettingsOf},
    record::{SuiteRecord, UncleanElection},
};

/// The lost messages of each audit that found any, and where they were.
fn lost(suite: &SuiteRecord) -> Vec<(u64, OnDisk)> {
    let lost = suite.anomalies.iter().filter(|a| a.kind == "lost");
    lost.map(|a| (a.count, a.on_disk.clone().expect("the disks were read"))).collect()
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn what_is_lost_is_looked_up_on_disk_and_replicas_are_compared() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/disks.yaml", "--allow-run"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert_eq!(ran.record.suites.len(), 2);
    for suite in &ran.record.suites {
        let lost = lost(suite);
        let [(300, dead), (300, back)] = &lost[..] else { panic!("{lost:?}") };
        assert_eq!((dead.gone, dead.cut_off), (0, 300), "{dead:?}");
        assert_eq!(dead.holders, BTreeMap::from([("broker 1, dead".to_owned(), 300)]));
        assert_eq!((back.gone + back.cut_off, &back.read[..]), (300, &[1, 2][..]), "{back:?}");
        // Before KIP-101 a follower may keep some of what its new leader never had.
        let epochs = suite.info.cell.contains("mode=kraft");
        if epochs {
            assert_eq!(back.cut_off, 0, "{back:?}");
        }
        let example = &suite.anomalies[0].examples[0].text;
        assert!(
            example.contains("still on the disk of broker 1, dead (offset 500 to 799)"),
            "{example}"
        );
        let differ = suite.anomalies.iter().find(|a| a.kind == "replicas_differ");
        let differ = differ.expect("the changed replica was found");
        assert!(
            differ.count > 0 && differ.examples[0].text.contains("broker 2 holds"),
            "{differ:?}"
        );
        let elections = suite.unclean_elections();
        let [UncleanElection { leader: 2, before, .. }] = &elections[..] else {
            panic!("{elections:?}");
        };
        assert!(!before.contains(&2), "{elections:?}");
        let risky = SettingsOf::Topic("risky".into());
        assert!(suite.configured.contains_key(&risky), "{:?}", suite.configured.keys());
    }
    let kraft = &ran.record.suites[1].configured;
    let features = &kraft[&SettingsOf::Features];
    assert!(features.contains_key("metadata.version"), "{features:?}");
    assert_eq!(kraft[&SettingsOf::Brokers]["min.insync.replicas"], "1");
    assert!(!ran.junit.contains("<failure") && !ran.junit.contains("<error"), "{}", ran.junit);
    assert!(left_behind(&ran.record.info.run).is_empty());
}

/// The simulation is enough for it: nothing was sent since the step that is counted from.
#[test]
fn what_nobody_did_proves_nothing() {
    let ran = run(&["runner/tests/plans/quiet-error.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let findings: Vec<_> = ran.record.suites[0].steps.iter().flat_map(|s| &s.findings).collect();
    let holds: Vec<Holds> = findings.iter().map(|f| f.holds).collect();
    assert_eq!(holds, [Holds::Yes, Holds::Yes, Holds::Inconclusive], "{findings:?}");
    assert!(findings[2].found.contains("no message to judge"), "{findings:?}");
}

/// The rows of the tables of `docs/judgement.md` that have this head.
fn rows<'a>(text: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> {
    let tables = text.split(head).skip(1);
    tables.flat_map(|table| table.lines().take_while(|l| l.starts_with("| ")))
}

const RULES: &str = "| rule | held by |\n|---|---|\n";
const LIES: &str = "| lie | counted, and nothing else | held by |\n|---|---|---|\n";

/// The tables of `docs/judgement.md`: rule by rule, and lie by lie, the tests that hold it, as
/// `path::test`, or a whole file of them.
#[test]
fn every_rule_names_tests_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/judgement.md")).expect("the table");
    let mut checked = 0;
    for line in rows(&text, RULES).chain(rows(&text, LIES)) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let tests: Vec<&str> =
            cells.last().map(|c| c.split('`').skip(1).step_by(2).collect()).unwrap_or_default();
        assert!(!tests.is_empty(), "a rule without a test: {line}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or((test, ""));
            let path = root().join(file);
            let source = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            // Either a whole file of tests, or one of its tests.
            assert!(name.is_empty() || is_test(&source, name), "{test} is no test");
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} tests are named");
}

/// The other way round: no test of a planted lie is missing in their table.
#[test]
fn every_planted_lie_stands_in_the_table() {
    let text = std::fs::read_to_string(root().join("docs/judgement.md")).expect("the table");
    let table: Vec<&str> = rows(&text, LIES).collect();
    let mut tests = 0;
    for entry in std::fs::read_dir(root().join("runner/tests/lies")).expect("a directory") {
        let path = entry.expect("an entry").path();
        let Ok(source) = std::fs::read_to_string(&path) else { continue };
        let file = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        for after in source.split("#[test]\n").skip(1) {
            let name = after.split_once("fn ").and_then(|(_, f)| f.split_once('('));
            let test = format!("`runner/tests/lies/{file}::{}`", name.expect("a test").0);
            assert!(table.iter().any(|row| row.contains(&test)), "no row names {test}");
            tests += 1;
        }
    }
    assert!(tests > 15, "only {tests} tests of lies");
}

fn is_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let before = &source[..at];
    let from = before.rfind("}\n").map_or(0, |end| end);
    before[from..].contains("test") || before.contains("proptest!")
}
