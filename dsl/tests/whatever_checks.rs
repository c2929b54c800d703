//! Whatever checks can be explained, differs in nothing from itself, and can be read again from what it
//! means.

use std::path::{Path, PathBuf};

use kplan_dsl::diff::{DiffFormat, FileChange, FileDiff, diff, render_diff};
use kplan_dsl::{Action, ExplainFormat, Options, Plan, check_file, check_text, explain};
use proptest::prelude::*;

fn options() -> Options {
    let mut options = Options { allow_run: true, ..Options::default() };
    options.env.allowed.insert("HOME".to_owned(), "/home".to_owned());
    options
}

fn holds(suites: &[Plan]) {
    if suites.is_empty() {
        return;
    }
    for format in [ExplainFormat::Text, ExplainFormat::Markdown, ExplainFormat::Mermaid] {
        let told = explain(suites, format);
        assert!(told.lines().count() > 3 && !told.contains('\0'), "{told}");
    }
    assert_eq!(diff(suites, suites), vec![]);
    for plan in suites {
        read_again(plan);
    }
}

/// The steps of a plan written as what they mean, and read: the difference is none.
fn read_again(plan: &Plan) {
    let simple = |steps: &[kplan_dsl::Step]| {
        steps.iter().all(|s| s.children().is_empty() && matches!(s.action, Action::Ready(_)))
            && steps.iter().all(|s| s.head.when.as_ref().is_none_or(|w| w.known().is_none()))
    };
    let always = !plan.always.is_empty();
    if !simple(&plan.steps) || !plan.finally.is_empty() || always || !plan.cell.is_empty() {
        return;
    }
    let steps: Vec<serde_json::Value> = plan.steps.iter().map(kplan_dsl::Step::meaning).collect();
    let written = serde_json::json!({
        "plan": "v1",
        "name": plan.name.value,
        "timeout": kplan_dsl::value::duration_text(plan.timeout.value),
        "clients": plan.programs_meant(),
        "steps": steps,
    });
    let text = serde_json::to_string_pretty(&written).expect("JSON");
    if text.contains("{{") {
        return;
    }
    let again = check_text(Path::new("again.yaml"), &text, &options());
    let shown = kplan_dsl::render(&again.diagnostics, &again.sources, false);
    assert_eq!(again.suites.len(), 1, "{text}\n{shown}");
    let changes: Vec<_> = diff(std::slice::from_ref(plan), &again.suites)
        .into_iter()
        .filter(|c| c.step.is_some())
        .collect();
    assert_eq!(changes, vec![], "{text}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of plans") {
            let path = entry.expect("readable").path();
            match path.is_dir() {
                true => left.push(path),
                false if path.extension().is_some_and(|e| e == "yaml") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_plan_and_every_case_that_checks() {
    let mut checked = 0;
    for path in files("../plans").into_iter().chain(files("tests/cases")) {
        let suites = check_file(&path, &options()).suites;
        checked += usize::from(!suites.is_empty());
        holds(&suites);
    }
    assert!(checked >= 15, "only {checked} check");
}

#[test]
fn both_sides_of_every_pair() {
    for path in files("tests/diff") {
        let text = std::fs::read_to_string(&path).expect("readable");
        for half in text.split("%%%\n") {
            let head = "plan: v1\nname: x\nsteps:\n  - start_cluster\n  - create_topic: { name: orders, partitions: 3 }\n  \
                        - start_producer: { name: P, topic: orders }\n  - start_consumer: { name: C, topics: [orders] }\n";
            let text =
                if half.starts_with("plan:") { half.to_owned() } else { format!("{head}{half}") };
            let suites = check_text(Path::new("p.yaml"), &text, &options()).suites;
            assert!(!suites.is_empty(), "{}", path.display());
            holds(&suites);
        }
    }
}

/// The plans that are changed at random.
const PLANS: [&str; 3] = [
    include_str!("../../plans/quickstart.yaml"),
    include_str!("../../plans/outage.yaml"),
    include_str!("../../plans/broker-restart.yaml"),
];

/// A plan with lines left out, doubled or swapped, and with other numbers and words.
fn changed() -> impl Strategy<Value = (usize, String)> {
    let change = (0..6_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (0..PLANS.len(), prop::collection::vec(change, 1..5)).prop_map(|(which, changes)| {
        let mut lines: Vec<String> = PLANS[which].lines().map(str::to_owned).collect();
        for (kind, at, other) in changes {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines.swap(at, other),
                3 => lines[at] = lines[at].replace('2', "3"),
                4 => lines[at] = lines[at].replace("0s", "00s"),
                _ => {
                    let (from, to) =
                        [("all", "1"), ("P", "C"), ("kill", "stop"), ("0", "7")][other % 4];
                    lines[at] = lines[at].replacen(from, to, 1);
                }
            }
        }
        (which, lines.join("\n") + "\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn plans_changed_at_random((which, text) in changed()) {
        let old = check_text(Path::new("p.yaml"), PLANS[which], &options()).suites;
        let new = check_text(Path::new("p.yaml"), &text, &options()).suites;
        holds(&new);
        if !new.is_empty() {
            let (there, back) = (diff(&old, &new), diff(&new, &old));
            prop_assert_eq!(there.is_empty(), back.is_empty());
            let file = FileDiff { path: "p.yaml".to_owned(), change: FileChange::Changed(there) };
            prop_assert!(render_diff(&[file], DiffFormat::Markdown).len() <= 60_000);
        }
    }
}
