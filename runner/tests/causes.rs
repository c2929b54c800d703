//! Whole runs that fail by Kafka's word, by the plan's, or by the rig's: verdict and exit status.

mod common;

use common::{Ran, real, run};
use kplan::event::{Holds, ReasonKind, Verdict, Whose};
use kplan_dsl::Verb;

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
        "  - start_producer: { name: P, topic: orders, config: { no.such.setting: \"{{ run.id }}\" } }\n  \
         - assert:\n      - lost: 0\n",
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

/// A command that kills a client's process from outside, and nobody else's; it ends when kplan has noticed.
fn killed(member: &str) -> String {
    format!(
        "  - run: {{ command: [sh, -c, 'p=$(pgrep -f -- \"--run $KPLAN_RUN --name {member} \"); kill -9 $p; \
         while kill -0 $p 2>/dev/null; do :; done'] }}\n"
    )
}

const LEADS: &str = "  - assert:\n      - leader: { partition: orders/0, is: any }\n";
const STARTED: &str = "  - start_producer: { name: P, topic: orders, rate: 50/s }\n  \
                       - start_consumer: { name: C, topics: [orders], members: 2 }\n  \
                       - wait:\n      - progressing: P\n";

#[test]
fn a_client_that_ended_by_itself_decides_where_no_step_touches_it() {
    let left_out = format!("{}  - stop_client: [P, C]\n", killed("[C] --member 2"));
    for (steps, who) in [(killed("[P]"), "P"), (killed("[C] --member 2"), "C/2"), (left_out, "C/2")]
    {
        let ran = plan(&format!("{STARTED}{steps}{LEADS}"));
        assert_eq!(ran.status(), Some(3), "{steps}\n{}", ran.text());
        let suite = &ran.record.suites[0];
        assert!(suite.steps.iter().all(|s| s.verdict == Verdict::Passed), "{}", ran.text());
        let [reason] = &suite.reasons[..] else { panic!("{:?}", suite.reasons) };
        let told = format!("client {who} ");
        assert!(reason.text.contains(&told) && reason.text.contains("no step reported it"));
        assert!(ran.text().contains(&reason.text) && ran.junit.contains(&told), "{}", ran.text());
    }
}

#[test]
fn what_the_plan_ended_and_who_had_sent_all_decide_nothing() {
    let done = "  - start_producer: { name: Q, topic: orders, count: 5 }\n  - wait:\n      \
                - acked: { client: Q, is: 5 }\n";
    let ran = plan(&format!(
        "{STARTED}{done}  - kill_client: P\n  - stop_client: C/1\n  - kill_client: C/2\n{LEADS}"
    ));
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    assert!(ran.record.suites[0].reasons.is_empty());
}

/// What brings a client into the state that a step on clients needs, and what into one that it does not work
/// on; `%` stands for the client. What is known only when the plan runs is not told by the checker.
fn states(word: &str) -> (&'static str, &'static [&'static str]) {
    const KILLED: &str = "  - kill_client: %\n    when: \"{{ run.id != '' }}\"\n";
    const PAUSED: &str = "  - pause_client: %\n    when: \"{{ run.id != '' }}\"\n";
    const RUNNING: &str = "  - kill_client: %\n    when: \"{{ run.id == '' }}\"\n";
    match word {
        "kill_client" | "stop_client" | "restart_client" => ("", &[KILLED]),
        "pause_client" => ("", &[KILLED, PAUSED]),
        "resume_client" => (PAUSED, &[RUNNING, KILLED]),
        "start_client" => (KILLED, &[RUNNING, PAUSED]),
        other => panic!("{other} needs its row: a step on clients has one rule"),
    }
}

/// Whether the timeline says that a client or a member was left out.
fn leaves_out(ran: &Ran, name: &str) -> bool {
    let told = format!("\"{name} ");
    ran.events().lines().any(|line| line.contains(&told) && line.contains("it is left out"))
}

#[test]
fn a_step_on_several_clients_works_on_those_in_the_state_that_it_needs() {
    const CLIENTS: &str = "  - start_producer: { name: P, topic: orders, rate: 50/s }\n  \
                           - start_producer: { name: Q, topic: orders, rate: 50/s }\n";
    let mut total = 0;
    for word in Verb::words().filter(|word| word.ends_with("_client")) {
        let (fit, unfit) = states(word);
        for unfit in unfit {
            total += 1;
            let before = format!("{}{}", unfit.replace('%', "P"), fit.replace('%', "Q"));
            let steps = |named: &str| format!("{CLIENTS}{before}  - {word}: {named}\n{LEADS}");
            // Named twice is meant once.
            let ran = plan(&steps("[P, Q, Q]"));
            assert_eq!(ran.status(), Some(0), "{word} after {before}\n{}", ran.text());
            assert!(leaves_out(&ran, "P"), "{word} after {before}\n{}", ran.events());
            let ran = plan(&steps("P"));
            assert_eq!(ran.status(), Some(1), "{word} after {before}\n{}", ran.text());
            let (verdict, whose, words) = step(&ran, word);
            assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Plan)), "{words}");
            assert!(words.contains("P "), "{words}");
        }
    }
    assert_eq!(total, 9, "steps on clients, and states in which they leave a client out");
}

#[test]
fn members_are_left_out_as_clients_are() {
    let group = "  - start_consumer: { name: C, topics: [orders], members: 2 }\n";
    let mut total = 0;
    for word in Verb::words().filter(|word| word.ends_with("_client")) {
        let (fit, unfit) = states(word);
        let before = format!("{}{}", unfit[0].replace('%', "C/1"), fit.replace('%', "C/2"));
        let ran = plan(&format!("{group}{before}  - {word}: [C/1, C/2, C]\n{LEADS}"));
        assert_eq!(ran.status(), Some(0), "{word} after {before}\n{}", ran.text());
        assert!(leaves_out(&ran, "C/1"), "{word} after {before}\n{}", ran.events());
        total += 1;
    }
    assert_eq!(total, 6, "steps on clients");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_fenced_producer_that_no_step_looks_at_fails_the_plan() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/fenced.yaml"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let suite = &ran.record.suites[0];
    assert!(suite.steps.iter().all(|s| s.verdict == Verdict::Passed), "{}", ran.text());
    let ended = suite.reasons.iter().find(|r| r.kind == ReasonKind::Ended).expect("its end");
    assert!(ended.text.contains("client P ended by itself"), "{}", ended.text);
    assert!(ended.text.contains("_FENCED"), "{}", ended.text);
}

/// The step that finds it dead fails, by Kafka's word; all that it had committed is judged all the same.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_fenced_producer_is_judged_to_the_end() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/fenced-judged.yaml"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let steps = &ran.record.suites[0].steps;
    let step = |title: &str| steps.iter().find(|s| s.info.title == title).expect("the step");
    let found = step("finds it dead");
    let cause = found.cause.as_ref().expect("a cause");
    assert_eq!((found.verdict, cause.whose), (Verdict::Failed, Whose::Kafka), "{}", ran.why());
    assert!(found.reason.as_ref().is_some_and(|r| r.contains("_FENCED")), "{:?}", found.reason);
    let judged = step("judged");
    assert_eq!(judged.verdict, Verdict::Passed, "{}", ran.why());
    assert!(judged.findings.len() == 4 && judged.findings.iter().all(|f| f.holds == Holds::Yes));
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_message_that_too_few_replicas_would_hold_is_refused_by_kafka() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/too-few-in-sync.yaml"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let steps = &ran.record.suites[0].steps;
    let expected = steps.iter().find(|s| s.info.title == "expected").expect("the step");
    assert_eq!(expected.verdict, Verdict::Passed, "{}", ran.text());
    let (verdict, whose, words) = step(&ran, "produce");
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Kafka)), "{words}");
    assert!(words.contains("NOT_ENOUGH_REPLICAS"), "{words}");
}
