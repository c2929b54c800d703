//! Whole runs that fail by Kafka's word, by the plan's, or by the rig's: verdict and exit status.

mod common;

use common::{Ran, run};
use kplan::event::{Holds, Verdict, Whose};

/// Runs a plan of these steps on the embedded backend.
fn plan(steps: &str) -> Ran {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("plan.yaml");
    let head = "plan: v1\nname: A cause\nsteps:\n  - start_cluster: { brokers: 3 }\n\
                \u{20} - create_topic: { name: orders, partitions: 1 }\n";
    std::fs::write(&path, format!("{head}{steps}")).expect("written");
    run(&[path.to_str().expect("plain"), "--backend", "embedded", "--allow-run"])
}

/// The step with this verb: its verdict, whose doing it was, and in words.
fn step(ran: &Ran, verb: &str) -> (Verdict, Option<Whose>, String) {
    let steps = &ran.record.suites[0].steps;
    let step = steps.iter().rfind(|s| s.info.verb == verb).expect("the step");
    let whose = step.cause.as_ref().map(|c| c.whose);
    (step.verdict, whose, step.reason.clone().unwrap_or_default())
}

const SILENT: &str = "  - kill_broker: all\n  - produce: { topic: orders, messages: [{ value: a }], \
                      within: 2s }\n";

#[test]
fn a_message_that_nobody_acknowledges_fails_and_finally_runs() {
    let ran =
        plan(&format!("{SILENT}  - assert:\n      - lost: 0\nfinally:\n  - note: at the end\n"));
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let (verdict, whose, words) = step(&ran, "produce");
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Kafka)), "{words}");
    assert!(words.contains("1 of 1 messages were not acknowledged"), "{words}");
    assert_eq!(step(&ran, "assert").0, Verdict::Skipped);
    assert_eq!(step(&ran, "note").0, Verdict::Passed);
    assert!(!ran.text().contains("broken"), "{}", ran.text());
}

#[test]
fn an_expected_error_is_that_one_and_no_other() {
    let ran = plan(&format!("{SILENT}    expect_error: {{ matches: ^_ }}\n"));
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let ran = plan(&format!("{SILENT}    expect_error: NOT_ENOUGH_REPLICAS\n"));
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let steps = &ran.record.suites[0].steps;
    let judged = steps.iter().flat_map(|s| &s.findings).next().expect("it is judged");
    assert_eq!(judged.holds, Holds::No);
    assert!(judged.found.contains("not acknowledged"), "{}", judged.found);
}

#[test]
fn a_setting_that_the_client_refuses_is_the_plans() {
    let ran = plan(
        "  - start_producer: { name: P, topic: orders, config: { no.such.setting: x } }\n  - assert:\n      - lost: 0\n",
    );
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let (verdict, whose, words) = step(&ran, "start_producer");
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Plan)), "{words}");
    assert!(words.contains("no.such.setting"), "{words}");
}

#[test]
fn a_command_that_is_not_there_is_the_plans() {
    let ran = plan("  - run: { command: [no-such-command-of-kplans-tests] }\n");
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let (verdict, whose, words) = step(&ran, "run");
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Plan)), "{words}");
}
