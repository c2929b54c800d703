//! Whole runs on the embedded backend: no engine, a simulation that says so.

mod common;

use std::time::{Duration, Instant};

use common::{gone_within, run, start};
use kplan::{
    event::{Holds, Verdict},
    record::RunRecord,
    report::totals::totals,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

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
        .filter(|s| s.id.to_string().starts_with("4."))
        .map(|s| format!("{} {}", s.id, s.title()))
        .collect();
    assert_eq!(
        told,
        [
            "4.1 Kill broker 1",
            "4.2 Repeat with look = first, second",
            "4.2.1 Note: first look without broker 1",
            "4.2.1#1#2 Note: second look without broker 1 (round 1.2)",
            "4.3 Run the steps of parts/back.yaml",
            "4.3.1 Start broker 1 again",
            "4.3.2 Wait until 3 brokers alive, at most 1m",
            "4.1#2 Kill broker 2 (round 2)",
            "4.2#2 Repeat with look = first, second (round 2)",
            "4.2.1#2#1 Note: first look without broker 2 (round 2.1)",
            "4.2.1#2#2 Note: second look without broker 2 (round 2.2)",
            "4.3#2 Run the steps of parts/back.yaml (round 2)",
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

#[test]
fn a_restarted_client_has_a_new_life_and_each_end_is_a_fault() {
    let ran = run(&["runner/tests/plans/restart-client.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let events = ran.events();
    let lines: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let clients: Vec<(String, u64, String)> = lines
        .iter()
        .filter(|line| line["event"] == "client")
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            (text("client"), line["life"].as_u64().unwrap_or_default(), text("state"))
        })
        .collect();
    let at = |client: &str, life: u64, state: &str| {
        clients
            .iter()
            .position(|c| *c == (client.to_owned(), life, state.to_owned()))
            .unwrap_or_else(|| panic!("{client} {life} {state}: {clients:?}"))
    };
    // One after the other: the second ends when the first is back.
    assert!(at("C/1", 1, "stopped") < at("C/1", 2, "up"), "{clients:?}");
    assert!(at("C/1", 2, "up") < at("C/2", 1, "stopping"), "{clients:?}");
    // All together: both have ended before one begins.
    assert!(at("P", 1, "dead").max(at("C/1", 2, "dead")) < at("P", 2, "starting"), "{clients:?}");
    let faults = |kind: &str| {
        let begins = |line: &&serde_json::Value| line["kind"] == kind && line["phase"] == "begins";
        lines.iter().filter(begins).count()
    };
    assert_eq!([faults("client_stopped"), faults("client_killed")], [2, 2], "{events}");
}

/// The ids of steps with how each ended.
fn told(ran: &common::Ran) -> Vec<(String, Verdict)> {
    ran.record.suites[0].steps.iter().map(|s| (s.id.to_string(), s.verdict)).collect()
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
    let outage = ran.record.suites[0].steps.iter().find(|s| s.id == "5".into()).expect("the fault");
    let took = outage.took_ms;
    assert!((3_000..20_000).contains(&took), "{took} ms");
}

/// A limit in the middle leaves no fault in force that is to end.
#[test]
fn a_fault_that_is_cut_off_is_undone() {
    let ran = run(&["runner/tests/plans/cut-off.yaml", "--backend", "embedded"]);
    let told = told(&ran);
    let ended = |name: &str| {
        let steps = &ran.record.suites[0].steps;
        steps.iter().find(|s| s.info.title == name).map(|s| s.verdict)
    };
    for fault in ["brokers", "frozen", "clients"] {
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

/// Steps that break something and mend it themselves, each as it is when something cuts it off.
const MEND_THEMSELVES: [(&str, &str); 8] = [
    ("kill_broker", "kill_broker: { broker: 2, for: 5m }"),
    ("stop_broker", "stop_broker: { broker: 2, for: 5m }"),
    ("restart_broker", "restart_broker: { broker: [2, 3], rolling: true, down_for: 5m }"),
    ("kill_client", "kill_client: { client: P, for: 5m }"),
    ("pause_client", "pause_client: { client: P, for: 5m }"),
    ("restart_client", "restart_client: { client: P, down_for: 5m }"),
    ("disturb_requests", "disturb_requests: { api: Produce, how: { delay: 10ms }, for: 5m }"),
    (
        "chaos",
        "chaos: { for: 5m, every: 1s, faults: [{ kill_broker: random, for: 4m }, { pause_client: P, for: 4m }] }",
    ),
];

/// Those that only real brokers can do.
const MEND_REAL_BROKERS: [&str; 14] = [
    "pause_broker",
    "power_loss",
    "partition_network",
    "degrade_network",
    "fill_disk",
    "skew_clock",
    "disk_errors",
    "slow_disk",
    "upgrade_broker",
    "reassign_partitions",
    "alter_broker",
    "alter_quota",
    "allow",
    "deny",
];

/// Those that leave what they did, or did nothing.
const MEND_NOTHING: [&str; 31] = [
    "start_cluster",
    "stop_cluster",
    "create_topic",
    "delete_topic",
    "alter_topic",
    "delete_records",
    "elect_leaders",
    "describe",
    "start_broker",
    "resume_broker",
    "free_disk",
    "corrupt_disk",
    "heal_network",
    "start_producer",
    "start_service",
    "start_consumer",
    "start_copier",
    "resume_client",
    "start_client",
    "stop_client",
    "produce",
    "consume",
    "wait",
    "assert",
    "record",
    "run",
    "collect",
    "note",
    "repeat",
    "parallel",
    "include",
];

#[test]
fn of_every_step_it_is_known_whether_it_mends_itself() {
    let mut known: Vec<&str> = MEND_THEMSELVES.iter().map(|(word, _)| *word).collect();
    known.extend(MEND_REAL_BROKERS.iter().chain(&MEND_NOTHING));
    let mut all: Vec<&str> = kplan_dsl::Verb::ALL.iter().map(|info| info.word).collect();
    known.sort_unstable();
    all.sort_unstable();
    assert_eq!(known, all);
}

/// A plan for each of them, in which only something from outside, or `limit`, ends the step.
fn plans_that_break(limit: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    for (word, step) in MEND_THEMSELVES {
        let plan = format!(
            "plan: v1\nname: {word}\nsteps:\n  - start_cluster: {{ brokers: 3 }}\n  \
             - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}\n  \
             - start_producer: {{ name: P, topic: orders, rate: 100/s }}\n  \
             - wait: {{ until: [progressing: P], within: 60s }}\n  \
             - {{ name: broken, {limit} {step} }}\nfinally:\n  \
             - {{ name: mended, assert: {{ that: [brokers_alive: 3, progressing: P], within: 30s }} }}\n"
        );
        std::fs::write(dir.path().join(format!("{word}.yaml")), plan).expect("written");
    }
    dir
}

/// The step was cut off in each plan, and nothing is broken afterwards.
fn all_is_mended(record: &RunRecord, cut_off: Verdict, why: &str) {
    assert_eq!(record.suites.len(), MEND_THEMSELVES.len());
    for suite in &record.suites {
        let word = &suite.info.name;
        let step = |title: &str| {
            let found = suite.steps.iter().find(|s| s.info.title == title);
            found.unwrap_or_else(|| panic!("{word} has no step {title}"))
        };
        assert_eq!(step("broken").verdict, cut_off, "{word}, {why}: {:?}", step("broken").reason);
        assert_eq!(step("mended").verdict, Verdict::Passed, "{word}, {why}: {:?}", step("mended"));
        // Each fault that began also ended, in the events and in the timeline.
        let open = suite.steps.iter().find(|s| s.started_us.is_some() && s.ended_us.is_none());
        assert!(open.is_none(), "{word}, {why}: {open:?}");
    }
}

#[test]
fn a_limit_that_cuts_a_step_off_leaves_nothing_broken() {
    for (own, plans, why) in
        [("timeout: 4s,", "10m", "the step's limit"), ("", "25s", "the plan's timeout")]
    {
        let dir = plans_that_break(own);
        let path = dir.path().to_str().expect("plain");
        let ran = run(&[path, "--backend", "embedded", "--jobs", "8", "--timeout", plans]);
        assert_eq!(ran.status(), Some(1), "{}", ran.text());
        all_is_mended(&ran.record, Verdict::Failed, why);
        let reasons =
            ran.record.suites.iter().flat_map(|s| &s.steps).filter_map(|s| s.reason.as_ref());
        assert!(reasons.filter(|reason| reason.contains(why)).count() >= MEND_THEMSELVES.len());
    }
}

#[test]
fn a_signal_that_cuts_a_step_off_leaves_nothing_broken() {
    let dir = plans_that_break("");
    let out = dir.path().join("run");
    let path = dir.path().to_str().expect("plain");
    let mut child = start(&[path, "--backend", "embedded", "--jobs", "8"], &out);
    let end = Instant::now() + Duration::from_secs(120);
    // Faults begin in each of them: what a chaos does has an id of its own.
    let faults = |events: &str| {
        (1..=MEND_THEMSELVES.len())
            .filter(|suite| {
                let of_suite = format!(r#""suite":{suite},"event":"fault","#);
                events.lines().any(|line| line.contains(&of_suite))
            })
            .count()
    };
    loop {
        let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
        if faults(&events) == MEND_THEMSELVES.len() {
            break;
        }
        assert!(Instant::now() < end, "not every fault began: {events}");
        std::thread::sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).expect("signalled");
    assert_eq!(child.wait().expect("waited for").code(), Some(143));
    let record = RunRecord::read(&out).expect("a record");
    all_is_mended(&record, Verdict::Broken, "SIGTERM");
    let left = gone_within(&record.info.run, Duration::from_secs(15));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_group_is_given_again_has_no_latency_of_its_own() {
    let ran = run(&["runner/tests/plans/given-again.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    for title in ["once only", "the first"] {
        let steps = &ran.record.suites[0].steps;
        let judged = steps.iter().find(|s| s.info.title == title).expect("the step");
        let found = &judged.findings[0].found;
        assert!(found.ends_with("over 200 messages"), "{title}: {found}");
    }
}

#[test]
fn a_count_of_a_part_is_no_total() {
    let ran = run(&["runner/tests/plans/narrowed-record.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let suite = &ran.record.suites[0];
    assert_eq!(suite.values().get("acked { client: Q }"), Some(&30.into()));
    assert_eq!(totals(suite).into_iter().collect::<Vec<_>>(), [("acked".to_owned(), 90)]);
}

/// Their identity is in the value, in the key, in a header, or in bytes that are no text. A broker and a producer die
/// meanwhile, and each message is counted once.
#[test]
fn messages_that_the_plan_writes_are_found_again() {
    let ran = run(&["runner/tests/plans/written.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    let suite = &ran.record.suites[0];
    let count = |name: &str| suite.values().get(name).and_then(serde_json::Value::as_u64);
    let (acked, delivered) =
        (count("acked").expect("a count"), count("delivered").expect("a count"));
    assert!(acked > 1_000 && delivered >= acked, "{acked} {delivered}");
    let faults = ran.events().lines().filter(|line| line.contains(r#""event":"fault","#)).count();
    assert_eq!(faults, 4, "a broker and a producer die, and are back");
}

#[test]
fn what_a_client_of_another_program_does_not_tell_is_not_known() {
    let ran = run(&["runner/tests/plans/untold.yaml", "--backend", "embedded", "--allow-run"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let steps = &ran.record.suites[0].steps;
    let asserted = steps.iter().filter(|step| step.info.verb == "assert");
    let found: Vec<_> = asserted
        .map(|step| {
            let holds: Vec<Holds> = step.findings.iter().map(|finding| finding.holds).collect();
            let text = step.findings.iter().map(|finding| finding.found.clone());
            (holds, text.collect::<Vec<_>>().join("; "))
        })
        .collect();
    let no_times = "H is another program and prints no `sent_ms`";
    let not_yet = "T is another program and prints a message when its outcome is known";
    let expected = [
        (vec![Holds::Yes], "T on t/1 from"),
        (vec![Holds::Inconclusive], no_times),
        (vec![Holds::Inconclusive], no_times),
        (vec![Holds::Inconclusive], not_yet),
        (vec![Holds::Inconclusive], "whether one waits on t/1 is not known"),
        (vec![Holds::Yes], "recovered within"),
        (vec![Holds::Inconclusive], "whether one waits on t/1 is not known"),
        (vec![Holds::Yes, Holds::Yes], "T after"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((holds, text), (expected, words)) in found.iter().zip(&expected) {
        assert!(holds == expected && text.contains(words), "{words}: {found:#?}");
    }
}

#[test]
fn a_client_that_ends_by_a_line_gets_the_seed() {
    let plan = "runner/tests/plans/told-by-line.yaml";
    let ran = run(&[plan, "--backend", "embedded", "--allow-run", "--seed", "7"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
}
