//! The schema: current, and never stricter than the checker.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::below;
use jsonschema::Validator;
use kplan_dsl::{
    Condition, Memory, Options, Verb, check_file, check_with, plan_schema, plan_schema_text, render,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn validator() -> Validator {
    jsonschema::draft7::new(&plan_schema()).expect("the schema is one")
}

fn complaints(validator: &Validator, yaml: &str) -> Vec<String> {
    let value: serde_json::Value = serde_yaml::from_str(yaml).expect("YAML for a second reader");
    validator.iter_errors(&value).map(|e| format!("{e} at {}", e.instance_path())).collect()
}

/// All YAML files below a directory: at least one.
fn files(directory: &Path) -> Vec<PathBuf> {
    let found = below(directory);
    assert!(!found.is_empty(), "no file in {}", directory.display());
    found
}

#[test]
fn the_file_is_current() {
    let path = root().join("schemas/plan.schema.json");
    let text = plan_schema_text();
    if std::env::var_os("KPLAN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "schemas/plan.schema.json is old: KPLAN_BLESS=1 cargo test --test schema"
    );
}

#[test]
fn it_is_a_draft_07_schema() {
    jsonschema::draft7::meta::validate(&plan_schema()).expect("a draft 07 schema");
}

#[test]
fn every_plan_validates() {
    let validator = validator();
    for path in files(&root().join("plans")) {
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(complaints(&validator, &text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn nothing_that_the_checker_accepts_is_refused() {
    let validator = validator();
    for path in files(&root().join("dsl/tests/cases")) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if !check_file(&path, &Options::default()).has_errors() {
            assert_eq!(complaints(&validator, &text), Vec::<String>::new(), "{}", path.display());
        }
    }
}

/// Steps that make the names that examples use.
const BEFORE: &str = "plan: v1\nname: example\nsteps:\n  - start_cluster: { version: 4.1.1 }\n  \
    - create_topic: { name: orders, partitions: 3 }\n  \
    - create_topic: { name: hello }\n  \
    - start_producer: { name: P, topic: orders }\n  \
    - start_consumer: { name: C, topics: [orders], group: readers, members: 2 }\n  \
    - record: [acked]\n    capture: before\n  \
    - record: [acked]\n    capture: after\n";

#[test]
fn every_example_of_a_word_reads_and_validates() {
    let validator = validator();
    let options = Options { allow_run: true, ..Options::default() };
    let steps =
        Verb::ALL.iter().flat_map(|info| info.examples.iter().map(|e| format!("  - {e}\n")));
    let conditions = Condition::ALL
        .iter()
        .flat_map(|info| info.examples.iter().map(|e| format!("  - assert:\n      - {e}\n")));
    assert!(!Verb::ALL.is_empty() && !Condition::ALL.is_empty());
    for step in steps.chain(conditions) {
        let text = format!("{BEFORE}{step}");
        assert_eq!(complaints(&validator, &text), Vec::<String>::new(), "{step}");
        let part = "fragment: v1\nparams:\n  partitions: 1\nsteps:\n  - wait: 1s\n";
        let files = Memory(BTreeMap::from([
            (PathBuf::from("example.yaml"), text.clone().into_bytes()),
            (PathBuf::from("parts/orders.yaml"), part.as_bytes().to_vec()),
        ]));
        let checked = check_with(Path::new("example.yaml"), &options, Box::new(files));
        // What an example says may not fit the cluster here; how it says it must be right.
        let shape = checked.diagnostics.iter().filter(|d| d.code.text() < "E050").cloned();
        let shape: Vec<_> = shape.collect();
        assert_eq!(render(&shape, &checked.sources, false), "", "{step}");
    }
}

#[test]
fn every_word_has_a_sentence_and_an_example() {
    for info in Verb::ALL.iter().chain(Condition::ALL) {
        assert!(info.summary().ends_with('.'), "{}: {}", info.word, info.summary());
        assert!(!info.examples.is_empty(), "{} has no example", info.word);
    }
}

#[test]
fn editors_are_told_of_mistakes() {
    let validator = validator();
    for (step, what) in [
        ("kill_brokre: 2", "an unknown verb"),
        ("start_cluster: { brokres: 3 }", "an unknown argument"),
        ("start_cluster: { brokers: \"3\" }", "a quoted number"),
        ("wait: 30", "a duration without a unit"),
        ("start_producer: { name: P }", "a missing argument"),
        ("assert: [{ lots: 0 }]", "an unknown condition"),
        ("restart_broker: { broker: 1, how: fast }", "an unknown value"),
    ] {
        let text = format!("plan: v1\nname: x\nsteps:\n  - {step}\n");
        assert!(!complaints(&validator, &text).is_empty(), "{what} passes: {step}");
    }
}
