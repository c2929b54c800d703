//! Another reader of YAML reads every plan alike.

use std::path::Path;

use kplan_dsl::document::{Limits, parse};
use kplan_dsl::{FileId, json_of};

/// Numbers compared by value: `10` and `10.0` are one in JSON's eyes, not in serde_json's.
fn same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (one, other) {
        (Number(a), Number(b)) => a.as_f64() == b.as_f64(),
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn serde_yaml_reads_every_plan_alike() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans");
    let mut seen = 0;
    for entry in std::fs::read_dir(plans).expect("plans/ is there") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let ours = parse(&text, FileId::default(), &Limits::default()).expect("a document");
        let theirs: serde_yaml::Value = serde_yaml::from_str(&text).expect("YAML");
        let theirs = json_of_theirs(&theirs);
        assert!(same(&json_of(&ours), &theirs), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} plans were found");
}

/// Keys as their text: a plan's `0:` is a number to one reader and a word to the other.
fn json_of_theirs(value: &serde_yaml::Value) -> serde_json::Value {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Mapping(map) => map
            .iter()
            .map(|(key, value)| {
                let key = match key {
                    Yaml::String(text) => text.clone(),
                    other => serde_yaml::to_string(other).expect("a key").trim().to_owned(),
                };
                (key, json_of_theirs(value))
            })
            .collect(),
        Yaml::Sequence(all) => all.iter().map(json_of_theirs).collect(),
        other => serde_json::to_value(other).expect("a scalar"),
    }
}
