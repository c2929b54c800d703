//! The plans in the documentation: each is checked, and warns of what it says and of nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use kplan_dsl::{Options, check_text, render};

/// The YAML blocks of a page that are whole plans.
fn plans(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```yaml") => block = Some(String::new()),
            (Some(text), "```") => {
                found.extend(Some(std::mem::take(text)).filter(|t| t.contains("plan: v1")));
                block = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[test]
fn the_plan_of_the_page_on_clients_checks_clean() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let options = Options { allow_run: true, ..Options::default() };
    let all = plans(&page);
    for text in &all {
        let checked = check_text(Path::new("page.yaml"), text, &options);
        assert_eq!(render(&checked.diagnostics, &checked.sources, false), "");
        assert_eq!(checked.suites.len(), 2, "one for each client");
    }
    assert_eq!(all.len(), 1);
}

#[test]
fn every_plan_of_the_page_on_faults_and_time_checks_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults-and-time.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (mut right, mut warned) = (0, BTreeSet::new());
    for text in plans(&page) {
        let said = text.lines().next().and_then(|l| l.strip_prefix("# kplan check: "));
        let checked = check_text(Path::new("page.yaml"), &text, &Options::default());
        let shown = render(&checked.diagnostics, &checked.sources, false);
        let codes: BTreeSet<&str> = checked.diagnostics.iter().map(|d| d.code.text()).collect();
        assert_eq!(codes, said.into_iter().collect(), "{text}\n{shown}");
        assert!(!checked.suites.is_empty(), "{text}\n{shown}");
        right += usize::from(codes.is_empty());
        warned.extend(said.map(str::to_owned));
    }
    assert!(right >= 4 && warned.len() >= 2, "{right} plans are right, {warned:?} are warned of");
}
