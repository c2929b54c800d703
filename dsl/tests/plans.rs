//! The plans that users run check clean.

use std::path::{Path, PathBuf};

mod common;

use kplan_dsl::{Code, Options, check_file, render};

#[test]
fn every_plan_checks_clean() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans");
    let mut seen = 0;
    for path in files(&directory).into_iter().chain(files(&directory.join("resilience"))) {
        let checked = check_file(&path, &Options::default());
        assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{}", path.display());
        assert!(!checked.suites.is_empty(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 14, "only {seen} plans were found");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("plans/ is there");
    entries.map(|e| e.expect("a readable entry").path()).filter(|p| p.is_file()).collect()
}

#[test]
fn the_embedded_backend_runs_the_quickstart_and_refuses_what_it_cannot_show() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans");
    let options = Options { backend: common::abilities("embedded"), ..Options::default() };
    let quickstart = check_file(&plans.join("quickstart.yaml"), &options);
    assert_eq!(render(&quickstart.diagnostics, &quickstart.sources, false), "");
    let restart = check_file(&plans.join("broker-restart.yaml"), &options);
    assert!(restart.suites.is_empty());
    assert!(restart.diagnostics.iter().all(|d| d.code == Code::E070));
    let lines: Vec<u32> = restart
        .diagnostics
        .iter()
        .filter_map(|d| restart.sources.positions(d.span))
        .map(|(start, _)| start.line)
        .collect();
    assert!(lines.contains(&45), "in-sync sets are refused where they are asked for: {lines:?}");
}
