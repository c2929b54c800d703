use kplan::{
    event::{Event, Verdict},
    record::RunRecord,
    report::terminal::render,
};

use crate::story::{Story, broken, failing, killed, passing};

fn plain(record: &RunRecord) -> String {
    anstream::adapter::strip_str(&render(record, false)).to_string()
}

#[test]
fn a_failure_shows_expected_found_evidence_and_the_plans_lines() {
    insta::assert_snapshot!(plain(&failing().record()));
}

#[test]
fn a_killed_run_says_so() {
    insta::assert_snapshot!(plain(&killed().record()));
}

#[test]
fn a_broken_rig_shows_its_error() {
    insta::assert_snapshot!(plain(&broken().record()));
}

#[test]
fn quiet_leaves_the_table_of_a_green_run_out() {
    let record = passing().record();
    let quiet = anstream::adapter::strip_str(&render(&record, true)).to_string();
    assert_eq!(quiet, "\npassed: 1 suite (1 passed) in 33.0 s, seed 42\n");
    assert!(plain(&record).contains("recovered after 4.3 s (orders/1)"));
    assert!(render(&failing().record(), true).contains("expected"));
}

#[test]
fn escapes_of_a_run_do_not_reach_the_terminal() {
    let mut story = Story::new("docker", 1);
    story.suite(|info| info.name = "\x1b]0;owned\x07\x1b[2Jname\r\x08".into());
    story.tell(Event::SuiteEnded { verdict: Verdict::Failed, reasons: vec![] });
    let text = render(&story.record(), false);
    assert!(!text.contains("\x1b]") && !text.contains("\x1b[2J") && !text.contains('\x08'));
    assert!(!text.contains('\r'));
}
