//! The teaching plans: one for each word, each clean.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::below;
use kplan_dsl::document::{Kind, Limits, Node, parse};
use kplan_dsl::{Condition, FileId, Options, Verb, check_file, plan_schema, render};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every YAML file of a directory, without what lies deeper.
fn files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(directory)).expect("a directory");
    let paths = entries.map(|e| e.expect("a readable entry").path());
    let mut all: Vec<PathBuf> =
        paths.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    all.sort();
    assert!(!all.is_empty(), "no file in {directory}");
    all
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("readable")
}

/// Every bare word and key of a document.
fn words(node: &Node, found: &mut BTreeSet<String>) {
    match &node.kind {
        Kind::Seq(nodes) => nodes.iter().for_each(|n| words(n, found)),
        Kind::Map(entries) => entries.iter().for_each(|e| {
            found.insert(e.key.value.clone());
            words(&e.value, found);
        }),
        Kind::Scalar(scalar) => {
            found.insert(scalar.text.clone());
        }
    }
}

#[test]
fn every_verb_and_condition_has_its_example_that_uses_it() {
    let known: BTreeSet<&str> =
        Verb::ALL.iter().chain(Condition::ALL).map(|info| info.word).collect();
    let named: BTreeSet<String> = files("examples")
        .iter()
        .filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned()))
        .collect();
    let missing: Vec<&&str> = known.iter().filter(|w| !named.contains(**w)).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "words without examples/WORD.yaml");
    // A key of plans that needs an example of its own.
    let known: BTreeSet<&str> = known.into_iter().chain(["external"]).collect();
    let strange: Vec<&String> = named.iter().filter(|n| !known.contains(n.as_str())).collect();
    assert_eq!(strange, Vec::<&String>::new(), "examples of no word");
    for path in files("examples") {
        let node = parse(&text(&path), FileId::default(), &Limits::default()).expect("YAML");
        let mut used = BTreeSet::new();
        words(&node, &mut used);
        let word = path.file_stem().and_then(|s| s.to_str()).expect("a name");
        assert!(used.contains(word), "{} does not use {word}", path.display());
        // Either of the two: a plan that judges nothing is inconclusive, and `consume` judges by itself.
        assert!(used.contains("assert") || word == "consume", "{} judges nothing", path.display());
    }
}

#[test]
fn every_plan_and_example_checks_clean_and_matches_the_schema() {
    let schema = jsonschema::draft7::new(&plan_schema()).expect("the schema is one");
    let options = Options { allow_run: true, ..Options::default() };
    let plans = files("examples").into_iter().chain(files("plans"));
    let plans: Vec<PathBuf> =
        plans.chain([root().join("runner/src/commands/init/first.yaml")]).collect();
    assert!(plans.len() > 80, "only {} plans were found", plans.len());
    for path in &plans {
        let checked = check_file(path, &options);
        assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{}", path.display());
        assert!(!checked.suites.is_empty(), "{}", path.display());
    }
    for path in plans.into_iter().chain(files("examples/parts")) {
        let value: serde_json::Value = serde_yaml::from_str(&text(&path)).expect("YAML");
        let wrong: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn every_plan_tells_editors_where_its_schema_is() {
    for directory in ["examples", "examples/parts", "plans"] {
        for path in files(directory) {
            let text = text(&path);
            let line = text.lines().next().unwrap_or_default();
            let schema = line.strip_prefix("# yaml-language-server: $schema=").expect("the line");
            let schema = path.parent().expect("a directory").join(schema);
            assert!(schema.is_file(), "{}: {}", path.display(), schema.display());
        }
    }
}

/// `kplan check plans examples --allow-run` reads every file there that is no fragment and no backend's.
#[test]
fn every_file_below_plans_and_examples_is_a_clean_plan_or_a_part_of_one() {
    let options = Options { allow_run: true, ..Options::default() };
    let mut plans = 0;
    for path in below(&root().join("plans")).into_iter().chain(below(&root().join("examples"))) {
        let begins = |word: &str| text(&path).lines().any(|line| line.starts_with(word));
        if begins("fragment:") || begins("backend:") {
            continue;
        }
        let checked = check_file(&path, &options);
        assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{}", path.display());
        plans += 1;
    }
    assert!(plans > 95, "only {plans} plans were found");
}
