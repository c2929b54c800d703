//! Pairs of plans: `diff/<case>.yaml` holds steps or a whole plan before and after, divided by a line
//! `%%%`; the expected text is a snapshot.

use std::path::{Path, PathBuf};

use kplan_dsl::diff::{DiffFormat, FileChange, FileDiff, diff, render_diff};
use kplan_dsl::{Checked, Options, check_text, render};

/// What a case without a head of its own begins with.
const HEAD: &str = "plan: v1\nname: case\nsteps:\n  - start_cluster\n  - create_topic: { name: orders, partitions: 3 }\n  \
    - start_producer: { name: P, topic: orders }\n  - start_consumer: { name: C, topics: [orders] }\n";

fn check(text: &str) -> Checked {
    let text = if text.starts_with("plan:") { text.to_owned() } else { format!("{HEAD}{text}") };
    let options = Options { allow_run: true, ..Options::default() };
    let checked = check_text(Path::new("plan.yaml"), &text, &options);
    let shown = render(&checked.diagnostics, &checked.sources, false);
    assert!(!checked.has_errors(), "{text}\n{shown}");
    checked
}

fn told(old: &str, new: &str, format: DiffFormat) -> String {
    let changes = diff(&check(old).suites, &check(new).suites);
    let file = FileDiff { path: "plan.yaml".to_owned(), change: FileChange::Changed(changes) };
    render_diff(&[file], format)
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diff");
    let entries = std::fs::read_dir(root).expect("tests/diff is there");
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    all.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    all.sort();
    all
}

#[test]
fn every_pair_is_told_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    for path in cases {
        let text = std::fs::read_to_string(&path).expect("readable");
        let (old, new) = text.split_once("%%%\n").expect("a case has two parts");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let found = told(old, new, DiffFormat::Text);
        if name.starts_with("same_") {
            assert_eq!(found, "No change in meaning\n", "{name}");
        } else {
            insta::assert_snapshot!(name.clone(), found, &text);
        }
        assert_eq!(told(old, old, DiffFormat::Text), "No change in meaning\n", "{name}");
        assert_eq!(told(new, new, DiffFormat::Text), "No change in meaning\n", "{name}");
    }
}

#[test]
fn what_weakens_one_way_strengthens_the_other() {
    for (old, new) in [
        ("  - assert: [{ lost: 0 }]\n", "  - assert: [{ lost: { at_most: 5 } }]\n"),
        ("  - assert: [{ lost: 0 }, { phantom: 0 }]\n", "  - assert: [{ lost: 0 }]\n"),
        ("  - kill_broker: all\n", "  - kill_broker: [1, 2]\n"),
        (
            "  - wait: { until: [{ lost: 0 }], within: 30s }\n",
            "  - wait: { until: [{ lost: 0 }], within: 2m }\n",
        ),
        (
            "  - assert: [{ any: [{ lost: 0 }] }]\n",
            "  - assert: [{ any: [{ lost: 0 }, { phantom: 0 }] }]\n",
        ),
        (
            "  - assert: [{ not: { lost: 0 } }]\n",
            "  - assert: [{ not: { lost: { at_most: 0 } } }, { not: { lost: 5 } }]\n",
        ),
    ] {
        let of = |a: &str, b: &str| told(a, b, DiffFormat::Text).lines().next().map(str::to_owned);
        let (there, back) = (of(old, new).expect("a line"), of(new, old).expect("a line"));
        if there.contains("weaker") {
            assert!(!there.contains("stronger") && back.contains("stronger"), "{there} / {back}");
        }
        assert_ne!(there, back, "{old}{new}");
    }
}

#[test]
fn markdown_fits_a_comment_on_a_pull_request() {
    let old = "  - note: x\n".repeat(3_000);
    let new = format!("{old}{}", "  - kill_broker: { broker: 1, for: 1s }\n".repeat(3_000));
    let text = told(&old, &new, DiffFormat::Markdown);
    assert!(text.len() < 60_000 && text.contains("Shortened here"), "{}", text.len());
    insta::assert_snapshot!(told(
        "  - name: \"at <once> @team\"\n    kill_broker: 1\n",
        "  - name: \"at <once> @team\"\n    kill_broker: [1, 2]\n    optional: true\n",
        DiffFormat::Markdown
    ));
}

#[test]
fn secrets_are_never_told() {
    let plan = |secret: &str| {
        format!(
            "plan: v1\nname: case\nparams:\n  password: {{ default: {secret}, secret: true }}\nsteps:\n  \
             - start_cluster: {{ security: {{ users: {{ alice: \"{{{{ password }}}}\", bob: x{secret} }} }} }}\n  \
             - note: \"{{{{ password }}}}\"\n"
        )
    };
    let text = told(&plan("hunter22"), &plan("swordfish"), DiffFormat::Text);
    assert!(!text.contains("hunter22") && !text.contains("swordfish"), "{text}");
    assert!(text.contains("not shown"), "{text}");
}

#[test]
fn a_long_plan_is_compared_in_time() {
    let old: String = (0..20_000).map(|n| format!("  - note: line {n}\n")).collect();
    let new =
        old.replace("line 77\n", "line seventy-seven\n").replace("  - note: line 15000\n", "");
    let text = told(&old, &new, DiffFormat::Text);
    assert!(text.starts_with("2 changes in meaning"), "{text}");
}
