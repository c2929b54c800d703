//! Whole runs on the embedded backend: no engine, a simulation that says so.

mod common;

use common::run;
use kplan::event::{Holds, Verdict};

#[test]
fn the_quickstart_passes_and_says_that_it_is_simulated() {
    let ran = run(&["plans/quickstart.yaml", "--backend", "embedded", "--seed", "7"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let suite = &ran.record.suites[0];
    assert_eq!(suite.verdict, Verdict::Passed);
    assert!(suite.info.simulated);
    assert!(ran.text().contains("simulated"), "{}", ran.text());
    assert!(ran.junit.contains("simulated"), "{}", ran.junit);
    assert!(suite.audits.iter().any(|(_, messages, _)| *messages > 100), "the log held messages");
}

#[test]
fn jobs_run_side_by_side_and_are_all_told() {
    let plan = ["runner/tests/plans/all-skipped.yaml", "--backend", "embedded"];
    let ran = run(&[&plan[..], &["--repeat", "3", "--jobs", "3"]].concat());
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    assert_eq!(ran.record.suites.len(), 3);
    let last_start = ran.record.suites.iter().map(|s| s.started_us).max();
    let first_end = ran.record.suites.iter().filter_map(|s| s.ended_us).min();
    assert!(last_start < first_end, "all three ran at once");
}

#[test]
fn a_suite_that_did_not_pass_is_tried_again_and_counts_once() {
    let plan = ["runner/tests/plans/all-skipped.yaml", "--backend", "embedded"];
    let ran = run(&[&plan[..], &["--retries", "1"]].concat());
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let attempts: Vec<u32> = ran.record.suites.iter().map(|s| s.info.attempt).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!((ran.record.decisive().count(), ran.record.unstarted()), (1, 0));
    assert_eq!(ran.junit.matches("<testsuite ").count(), 1, "{}", ran.junit);
}

#[test]
fn the_first_failure_ends_a_run_that_asks_for_it() {
    let plan = ["runner/tests/plans/all-skipped.yaml", "--backend", "embedded"];
    let ran = run(&[&plan[..], &["--repeat", "3", "--fail-fast"]].concat());
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    assert_eq!((ran.record.suites.len(), ran.record.unstarted()), (1, 2));
}

/// Runs a plan whose last assert proves nothing; its finding.
fn inconclusive(plan: &str) -> String {
    let ran = run(&[&format!("runner/tests/plans/{plan}.yaml"), "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    assert!(ran.text().contains("inconclusive"), "{}", ran.text());
    assert!(ran.junit.contains("inconclusive"), "{}", ran.junit);
    let suite = &ran.record.suites[0];
    assert_eq!(suite.verdict, Verdict::Failed);
    let findings = suite.steps.iter().flat_map(|s| &s.findings);
    let doubt = findings.filter(|f| f.holds == Holds::Inconclusive).map(|f| f.found.clone()).next();
    doubt.or_else(|| suite.reasons.first().map(|r| r.text.clone())).expect("a doubt")
}

#[test]
fn traffic_that_stops_for_the_fault_proves_nothing() {
    let found = inconclusive("quiet-fault");
    assert!(found.contains("nothing was sent") && found.contains("broker 2 killed"), "{found}");
}

#[test]
fn a_running_producer_has_lost_nothing() {
    let plan = ["runner/tests/plans/running-producer.yaml", "--backend", "embedded"];
    let ran = run(&[&plan[..], &["--repeat", "6", "--jobs", "2"]].concat());
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    assert_eq!(ran.record.suites.len(), 6);
}

#[test]
fn what_was_at_rest_is_judged_without_traffic() {
    let ran = run(&["runner/tests/plans/data-at-rest.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let found = inconclusive("rest-before-nothing");
    assert!(found.contains("\"quiet\" broke nothing"), "{found}");
}

#[test]
fn a_consumer_that_never_catches_up_proves_nothing() {
    let found = inconclusive("dead-consumer");
    assert!(found.contains("C ended before it had read"), "{found}");
}

#[test]
fn a_log_that_cannot_be_read_proves_nothing() {
    let found = inconclusive("unreadable-log");
    assert!(found.contains("orders/0"), "{found}");
}

#[test]
fn a_plan_whose_asserts_were_all_skipped_proves_nothing() {
    let found = inconclusive("all-skipped");
    assert!(found.contains("every assert was skipped"), "{found}");
}

#[test]
fn what_a_simulation_cannot_show_is_refused_with_its_line() {
    let output = common::kplan(&["run", "plans/broker-restart.yaml", "--backend", "embedded"])
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("plans/broker-restart.yaml:") && text.contains("in_sync"), "{text}");
}

#[test]
fn each_round_is_told_as_what_it_did_and_in_its_order() {
    let ran = run(&["runner/tests/plans/nested-rounds.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let suite = &ran.record.suites[0];
    let told: Vec<String> = suite
        .steps
        .iter()
        .filter(|s| s.id.starts_with("4."))
        .map(|s| format!("{} {}", s.id, s.title()))
        .collect();
    assert_eq!(
        told,
        [
            "4.1 Kill broker 1",
            "4.2 Repeat with look = first, second",
            "4.2.1 Note: first look without broker 1",
            "4.2.1#1#2 Note: second look without broker 1 (round 1.2)",
            "4.3 Do the steps of parts/back.yaml",
            "4.3.1 Start broker 1 again",
            "4.3.2 Wait until 3 brokers alive, at most 1m",
            "4.1#2 Kill broker 2 (round 2)",
            "4.2#2 Repeat with look = first, second (round 2)",
            "4.2.1#2#1 Note: first look without broker 2 (round 2.1)",
            "4.2.1#2#2 Note: second look without broker 2 (round 2.2)",
            "4.3#2 Do the steps of parts/back.yaml (round 2)",
            "4.3.1#2 Start broker 2 again (round 2)",
            "4.3.2#2 Wait until 3 brokers alive, at most 1m (round 2)",
        ]
    );
    for name in ["Kill broker 2 (round 2)", "second look without broker 2 (round 2.2)"] {
        assert!(ran.junit.contains(name), "{name}: {}", ran.junit);
    }
    assert!(ran.text().contains("Kill broker 2 (round 2)"), "{}", ran.text());
}

#[test]
fn a_step_on_a_whole_client_works_on_the_members_that_run() {
    let ran = run(&["runner/tests/plans/half-killed.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let events = ran.events();
    // The pause passes the member that is paused, the stop the one that is dead.
    assert!(events.contains("C/2 does not run, or is paused: it is left out"), "{events}");
    assert!(events.contains("C/2 does not run: it is left out"), "{events}");
}

/// The ids of steps with how each ended.
fn told(ran: &common::Ran) -> Vec<(String, Verdict)> {
    ran.record.suites[0].steps.iter().map(|s| (s.id.clone(), s.verdict)).collect()
}

#[test]
fn the_steps_of_during_run_while_the_fault_is_in_force() {
    let ran = run(&["runner/tests/plans/during.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let inside = ["5.1", "5.2", "5.3", "5.3.1"];
    let told = told(&ran);
    for id in inside {
        assert!(told.contains(&(id.to_owned(), Verdict::Passed)), "{id}: {told:?}");
    }
    // `for` is longer than the steps: the fault lasts as long.
    let outage = ran.record.suites[0].steps.iter().find(|s| s.id == "5").expect("the fault");
    let took = outage.took_ms;
    assert!((3_000..20_000).contains(&took), "{took} ms");
}

/// Neither a limit nor an error in the middle leaves a fault that is to end in force.
#[test]
fn a_fault_that_is_cut_off_is_undone() {
    let ran = run(&["runner/tests/plans/cut-off.yaml", "--backend", "embedded"]);
    let told = told(&ran);
    let ended = |name: &str| {
        let steps = &ran.record.suites[0].steps;
        steps.iter().find(|s| s.info.title == name).map(|s| s.verdict)
    };
    for fault in ["brokers", "frozen", "clients", "half"] {
        assert_eq!(ended(fault), Some(Verdict::Failed), "{fault}: {told:?}");
        let back = format!("{fault}: undone");
        assert_eq!(ended(&back), Some(Verdict::Passed), "{}", ran.text());
    }
}

#[test]
fn a_failure_inside_during_undoes_the_fault_at_once_and_ends_the_plan() {
    let ran = run(&["runner/tests/plans/during-fails.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let told = told(&ran);
    let ended = |id: &str| told.iter().find(|(own, _)| own == id).map(|(_, v)| *v);
    assert_eq!(ended("2.1"), Some(Verdict::Failed), "{told:?}");
    assert_eq!(ended("2.2"), Some(Verdict::Skipped), "{told:?}");
    assert_eq!(ended("2"), Some(Verdict::Failed), "{told:?}");
    assert_eq!(ended("3"), Some(Verdict::Skipped), "{told:?}");
    // All three brokers live again, long before the ten minutes of `for` have passed.
    assert_eq!(ended("finally.1"), Some(Verdict::Passed), "{told:?}");
}
