//! Two texts, divided by a line `%%%`: whatever checks can be explained, differs in nothing from itself,
//! and can be compared with the other.

#![no_main]

use std::path::Path;

use kplan_dsl::diff::{DiffFormat, FileChange, FileDiff, diff, render_diff};
use kplan_dsl::{ExplainFormat, Options, Plan, check_text, explain};
use libfuzzer_sys::fuzz_target;

fn suites(text: &str) -> Vec<Plan> {
    let options = Options { allow_run: true, ..Options::default() };
    check_text(Path::new("plan.yaml"), text, &options).suites
}

fuzz_target!(|text: &str| {
    let (old, new) = text.split_once("\n%%%\n").unwrap_or((text, text));
    let (old, new) = (suites(old), suites(new));
    for suites in [&old, &new] {
        assert!(diff(suites, suites).is_empty(), "a plan differs from itself");
    }
    if old.is_empty() || new.is_empty() {
        return;
    }
    for format in [ExplainFormat::Text, ExplainFormat::Markdown, ExplainFormat::Mermaid] {
        assert!(!explain(&new, format).is_empty());
    }
    let (there, back) = (diff(&old, &new), diff(&new, &old));
    assert_eq!(there.is_empty(), back.is_empty(), "a change that is one in one direction only");
    let file = FileDiff { path: "plan.yaml".to_owned(), change: FileChange::Changed(there) };
    let files = [file];
    assert!(render_diff(&files, DiffFormat::Markdown).len() <= 60_000);
    let _ = render_diff(&files, DiffFormat::Text);
});
