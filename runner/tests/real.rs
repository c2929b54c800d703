//! Whole runs on real brokers: ignored unless asked for (`--ignored`), with an engine and the images of
//! `ci/kafka-image 0.10.1.1 2.8.2 3.9.1 4.1.1 4.4.0`.

mod common;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{Ran, gone_within, left_behind, real, run, run_id, start};
use kplan::{
    event::{Holds, Verdict},
    record::StepRecord,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

fn recorded(ran: &Ran, suite: usize) -> BTreeMap<String, serde_json::Value> {
    ran.record.suites[suite].steps.iter().flat_map(|s| s.recorded.clone()).collect()
}

fn passes(plan: &str, cells: usize) -> Ran {
    let ran = run(&[plan]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert_eq!(ran.record.suites.len(), cells);
    assert!(ran.record.suites.iter().all(|s| s.verdict == Verdict::Passed));
    assert!(!ran.junit.contains("<failure") && !ran.junit.contains("<error"), "{}", ran.junit);
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn outage() {
    let _turn = real();
    let ran = passes("plans/outage.yaml", 2);
    for suite in 0..2 {
        let values = recorded(&ran, suite);
        assert!(values["acked"].as_u64() > Some(1_000), "{values:?}");
        assert!(
            ran.junit.contains("acked") && ran.junit.contains("lost"),
            "the JUnit holds the counts"
        );
    }
    assert_eq!(recorded(&ran, 1)["lost"], 0, "acks=all on 4.1.1 loses nothing");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn broker_restart() {
    let _turn = real();
    passes("plans/broker-restart.yaml", 2);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn client_restart() {
    let _turn = real();
    passes("plans/client-restart.yaml", 2);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn single_replica() {
    let _turn = real();
    passes("plans/single-replica.yaml", 2);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn listeners() {
    let _turn = real();
    passes("plans/listeners.yaml", 1);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn quickstart() {
    let _turn = real();
    passes("plans/quickstart.yaml", 1);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_unclean_election_loses_exactly_what_only_the_dead_leader_had() {
    let _turn = real();
    let ran = passes("runner/tests/plans/unclean.yaml", 2);
    for suite in 0..2 {
        let values = recorded(&ran, suite);
        assert_eq!((&values["acked"], &values["lost"]), (&1_300.into(), &500.into()), "{values:?}");
    }
}

/// Kafka's jars, as the image of 4.1.1 has them.
fn jars() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    let docker = |args: &[&str]| {
        let output = std::process::Command::new("docker").args(args).output().expect("docker");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let container = docker(&["create", "kplan/kafka:4.1.1"]);
    docker(&["cp", &format!("{container}:/opt/kafka/libs"), &dir.path().to_string_lossy()]);
    docker(&["rm", &container]);
    dir
}

/// Runs a plan with Kafka's own verifiable clients, which needs Java on this machine.
fn with_java(plan: &str) -> Ran {
    let jars = jars();
    let libs = format!("libs={}", jars.path().join("libs").display());
    let ran = run(&[plan, "--allow-run", "--param", &libs]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn kafkas_verifiable_clients_lose_nothing_through_the_death_of_a_leader() {
    let _turn = real();
    let ran = with_java("runner/tests/plans/java-leader.yaml");
    let values = recorded(&ran, 0);
    assert!(values["acked"].as_u64() > Some(1_000), "{values:?}");
    assert_eq!(values["lost"], 0);
    // The plan killed both, and paused P: what a program sends is not known before it prints it, so no condition shows
    // how long it was away.
    let events = ran.events();
    for client in ["P", "C"] {
        let second = format!(r#""client":"{client}","life":2,"state":"up""#);
        assert!(events.contains(&second), "{client} has a second life");
    }
    assert!(events.contains("paused"), "{events}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn kafkas_verifiable_clients_log_in_as_a_user() {
    let _turn = real();
    with_java("runner/tests/plans/java-users.yaml");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_unclean_election_is_counted_exactly_with_kafkas_verifiable_producer() {
    let _turn = real();
    let ran = with_java("runner/tests/plans/java-unclean.yaml");
    let values = recorded(&ran, 0);
    assert_eq!((&values["acked"], &values["lost"]), (&1_300.into(), &500.into()), "{values:?}");
}

/// Time after which nothing of a killed run may be left.
const GONE: Duration = Duration::from_secs(15);

/// The controller that a step of a suite recorded.
fn controller(ran: &Ran, suite: usize, name: &str) -> u64 {
    let step = step(ran, suite, name);
    step.recorded["controller"].as_u64().expect("a controller")
}

fn step<'a>(ran: &'a Ran, suite: usize, name: &str) -> &'a StepRecord {
    let mut steps = ran.record.suites[suite].steps.iter();
    steps.find(|s| s.info.title == name).unwrap_or_else(|| panic!("no step {name}"))
}

/// Another one than before was found; an election takes 2 to 4 s, and what brokers hold back 30 s.
fn succeeded(ran: &Ran, suite: usize, within_ms: u64) {
    let (before, after) = (controller(ran, suite, "before"), controller(ran, suite, "after"));
    assert_ne!(before, after, "the isolated one is not believed");
    let took = step(ran, suite, "another controller").took_ms;
    println!("suite {suite}: controller {after} after {before}, known after {took} ms");
    assert!(took < within_ms, "{took} ms");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_isolated_controller_is_not_believed_and_its_successor_is_found() {
    let _turn = real();
    succeeded(&passes("runner/tests/plans/isolated-controller.yaml", 1), 0, 20_000);
}

#[cfg(feature = "tls")]
#[test]
#[ignore = "needs a container engine: ci/test"]
fn the_successor_is_found_where_clients_log_in() {
    let _turn = real();
    let ran = passes("runner/tests/plans/isolated-controller-secured.yaml", 2);
    (0..2).for_each(|suite| succeeded(&ran, suite, 20_000));
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn whom_zookeeper_names_is_not_believed_once_it_is_cut_off_or_dead() {
    let _turn = real();
    let ran = passes("runner/tests/plans/isolated-controller-zookeeper.yaml", 1);
    succeeded(&ran, 0, 20_000);
    for (name, why) in
        [("too early", "cut off from ZooKeeper"), ("dead, and named still", "does not run")]
    {
        let [found] = &step(&ran, 0, name).findings[..] else { panic!("{}", ran.text()) };
        assert_eq!(found.holds, Holds::Inconclusive, "{}", ran.text());
        assert!(found.found.contains(why), "{}", found.found);
    }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn what_only_an_isolated_broker_tells_is_inconclusive() {
    let _turn = real();
    let ran = passes("runner/tests/plans/one-side.yaml", 1);
    let steps = &ran.record.suites[0].steps;
    let doubted = steps.iter().filter(|s| s.optional && s.info.verb == "assert");
    let holds: Vec<Holds> = doubted.flat_map(|s| &s.findings).map(|f| f.holds).collect();
    assert_eq!(holds, [Holds::Inconclusive; 3], "{}", ran.text());
    let killed = steps.iter().find(|s| s.info.verb == "kill_broker").expect("the step");
    let why = killed.reason.as_deref().unwrap_or_default();
    assert!(why.contains("no broker that answers reaches a controller"), "{why}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn what_a_broker_tells_that_missed_the_elections_is_inconclusive() {
    let _turn = real();
    let ran = passes("runner/tests/plans/left-behind.yaml", 1);
    let judged = step(&ran, 0, "judged by the one that missed it");
    let holds: Vec<Holds> = judged.findings.iter().map(|f| f.holds).collect();
    assert_eq!(holds, [Holds::Inconclusive; 5], "{}", ran.text());
    let refused = step(&ran, 0, "a target from the one that missed it");
    let why = refused.reason.as_deref().unwrap_or_default();
    assert!(why.contains("the brokers that answer are outdated"), "{why}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn signals_end_a_run_with_its_reports_and_leave_nothing() {
    let _turn = real();
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let out = dir.path().join("run");
        let junit = dir.path().join("junit.xml");
        let mut child = start(
            &["runner/tests/plans/long.yaml", "--junit", junit.to_str().expect("plain")],
            &out,
        );
        let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
        std::thread::sleep(Duration::from_secs(8));
        kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), signal).expect("signalled");
        let ended = child.wait().expect("ended");
        assert_eq!(ended.code(), Some(status));
        let xml = std::fs::read_to_string(&junit).expect("the report was written");
        assert!(xml.contains("interrupted") && xml.contains("<testsuite"), "{xml}");
        assert!(left_behind(&id).is_empty());
    }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_missing_image_names_the_command_that_makes_it() {
    let _turn = real();
    let ran = run(&["plans/quickstart.yaml", "--param", "version=4.0.77"]);
    assert_eq!(ran.status(), Some(3), "{}", ran.text());
    assert!(ran.text().contains("ci/kafka-image 4.0.77"), "{}", ran.text());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn groups_of_the_newer_protocol_fenced_members_and_transaction_coordinators() {
    let _turn = real();
    passes("runner/tests/plans/groups-today.yaml", 1);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn eligible_leaders_are_seen_and_the_plans_timestamps_are_kafkas() {
    let _turn = real();
    passes("runner/tests/plans/eligible.yaml", 1);
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::*;

    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn a_plan_that_expects_no_loss_fails_on_an_unclean_election() {
        let _turn = real();
        let ran = run(&["runner/tests/plans/unclean.yaml", "--param", "lost=0", "--jobs", "2"]);
        assert_eq!(ran.status(), Some(1), "{}", ran.text());
        assert!(ran.record.suites.iter().all(|s| s.verdict == Verdict::Failed), "{}", ran.text());
        assert!(ran.text().contains("500") && ran.junit.contains("<failure"), "{}", ran.text());
    }

    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn the_same_faults_without_unclean_elections_lose_nothing() {
        let _turn = real();
        let ran = passes("runner/tests/plans/clean.yaml", 2);
        assert_eq!(recorded(&ran, 0)["lost"], 0);
        assert_eq!(recorded(&ran, 1)["lost"], 0);
    }

    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn ten_sigkills_at_ten_moments_leave_nothing() {
        let _turn = real();
        for moment_ms in [100, 600, 1_200, 2_000, 3_000, 4_500, 6_500, 9_000, 12_000, 16_000] {
            let dir = tempfile::tempdir().expect("temporary directory");
            let out = dir.path().join("run");
            let begun = Instant::now();
            let mut child = start(&["runner/tests/plans/long.yaml"], &out);
            let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
            let moment = Duration::from_millis(moment_ms);
            std::thread::sleep(moment.saturating_sub(begun.elapsed()));
            child.kill().expect("SIGKILL");
            child.wait().expect("reaped");
            let left = gone_within(&id, GONE);
            assert!(left.is_empty(), "killed after {moment:?}: {left:?}");
        }
    }
}
