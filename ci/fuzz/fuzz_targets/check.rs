//! Any text as a plan: suites or errors, never both, and everything that is wrong can be shown.

#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kplan_dsl::{ExplainFormat, Memory, Options, Override, check_with, explain, render};
use libfuzzer_sys::fuzz_target;

const PART: &str =
    "fragment: v1\nparams:\n  n: 1\nsteps:\n  - note: part {{ n }}\nfinally:\n  - note: end\n";

fuzz_target!(|bytes: &[u8]| {
    let files = Memory(BTreeMap::from([
        (PathBuf::from("plan.yaml"), bytes.to_vec()),
        (PathBuf::from("part.yaml"), PART.as_bytes().to_vec()),
    ]));
    let acks = Override {
        name: "acks".to_owned(),
        value: "1".to_owned(),
        origin: "--param".to_owned(),
        optional: true,
    };
    let options = Options { params: vec![acks], allow_run: true, ..Options::default() };
    let checked = check_with(Path::new("plan.yaml"), &options, Box::new(files));
    assert_eq!(checked.has_errors(), checked.suites.is_empty());
    if !checked.suites.is_empty() {
        assert!(!explain(&checked.suites, ExplainFormat::Text).is_empty());
    }
    let shown = render(&checked.diagnostics, &checked.sources, false);
    assert_eq!(shown.is_empty(), checked.diagnostics.is_empty());
    for diagnostic in &checked.diagnostics {
        let (start, end) = checked.sources.positions(diagnostic.span).expect("a known file");
        assert!(start <= end && start.line >= 1 && start.column >= 1);
    }
});
