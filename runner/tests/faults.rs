//! Every fault on real brokers: ignored unless asked for (`--ignored`), with an engine and the images of
//! `ci/kafka-image 0.10.1.1 2.8.2 3.9.1 4.1.1 4.4.0`. What needs no broker runs always.

mod common;

use common::{Ran, left_behind, real, run};

fn passes(args: &[&str]) -> Ran {
    let ran = run(args);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn topics_are_altered_led_and_moved() {
    let _turn = real();
    passes(&["runner/tests/plans/alter-topic.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn topics_are_altered_led_and_moved_with_zookeeper() {
    let _turn = real();
    let old = ["--param", "version=3.9.1", "--param", "mode=zookeeper"];
    passes(&[&["runner/tests/plans/alter-topic.yaml"], old.as_slice()].concat());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_unclean_election_on_demand_loses_exactly_what_its_winner_never_had() {
    let _turn = real();
    passes(&["runner/tests/plans/unclean-on-demand.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_copier_outlives_the_coordinator_of_its_group() {
    let _turn = real();
    passes(&["runner/tests/plans/copier-coordinator.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn the_network_is_parted_and_healed() {
    let _turn = real();
    let ran = passes(&["runner/tests/plans/partition.yaml"]);
    let faults = &ran.record.suites[0].faults;
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.iter().all(|f| f.until_us.is_some()), "each was healed: {faults:?}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn the_network_is_degraded_and_a_cut_outlives_a_restart() {
    let _turn = real();
    passes(&["runner/tests/plans/degrade.yaml"]);
}

/// Whether this machine's kernel has netem, asked for without kplan.
fn kernel_delays_packets() -> bool {
    let words = ["run", "--rm", "--cap-add", "NET_ADMIN", "--network", "none"];
    let tc = ["--entrypoint", "tc", "kplan/kafka:4.1.1", "qdisc", "add", "dev", "lo", "root"];
    let mut docker = std::process::Command::new("docker");
    let said = docker.args(words).args(tc).args(["netem", "delay", "1ms"]).output();
    let said = said.expect("docker starts");
    let why = String::from_utf8_lossy(&said.stderr);
    // Anything else than the kernel's own refusal is no answer.
    let missing = why.contains("qdisc kind is unknown");
    assert!(said.status.success() != missing, "{why}");
    !missing
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn latency_is_felt_or_refused_with_its_reason() {
    let _turn = real();
    let plan = "runner/tests/plans/latency.yaml";
    if kernel_delays_packets() {
        passes(&[plan]);
    } else {
        let ran = run(&[plan]);
        assert_eq!(ran.status(), Some(3), "{}", ran.why());
        assert!(ran.text().contains("no netem (module sch_netem)"), "{}", ran.text());
    }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_full_disk_ends_its_broker_and_loses_nothing() {
    let _turn = real();
    passes(&["runner/tests/plans/full-disk.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_cluster_is_upgraded_while_it_runs() {
    let _turn = real();
    passes(&["runner/tests/plans/upgrade.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn brokers_are_chosen_by_role_and_come_back_in_every_way() {
    let _turn = real();
    passes(&["runner/tests/plans/targets.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn zookeeper_is_a_target() {
    let _turn = real();
    passes(&["runner/tests/plans/targets-zookeeper.yaml"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn chaos_keeps_what_it_must_and_repeats_its_schedule() {
    let _turn = real();
    let one = || passes(&["runner/tests/plans/chaos.yaml", "--seed", "7", "--param", "time=40s"]);
    let schedule = |ran: &Ran| {
        let steps = &ran.record.suites[0].steps;
        steps.iter().flat_map(|s| s.descriptions.clone()).collect::<Vec<_>>()
    };
    let (first, second) = (one(), one());
    assert!(!schedule(&first).is_empty());
    assert_eq!(schedule(&first), schedule(&second));
    let faults = &first.record.suites[0].faults;
    assert!(!faults.is_empty() && faults.iter().all(|f| f.until_us.is_some()), "{faults:?}");
}

#[test]
fn commands_are_run_where_they_are_allowed() {
    let plan = ["runner/tests/plans/run.yaml", "--backend", "embedded"];
    let ran = run(&[plan.as_slice(), &["--allow-run"]].concat());
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let steps = &ran.record.suites[0].steps;
    assert!(steps.iter().any(|s| s.timed_out && s.optional), "the limit ended a command");
    let output = common::kplan(&[["run"].as_slice(), &plan].concat()).output().expect("kplan");
    assert_eq!(output.status.code(), Some(2), "refused before anything starts");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-run"));
}

#[test]
fn the_simulation_refuses_what_it_cannot_show() {
    let plan = ["runner/tests/plans/partition.yaml", "--backend", "embedded"];
    let output = common::kplan(&[["run"].as_slice(), &plan].concat()).output().expect("kplan");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot partition the network"));
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::common::{real, run};

    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn a_failing_chaos_shrinks_to_the_fault_that_is_enough() {
        let _turn = real();
        let plan = "runner/tests/plans/chaos-weak.yaml";
        let ran = run(&[plan, "--seed", "2", "--shrink"]);
        assert_eq!(ran.status(), Some(1), "{}", ran.text());
        let text = ran.text();
        let file = text
            .lines()
            .find_map(|l| l.strip_prefix("the plan with these faults: "))
            .expect("a plan is written");
        let written = std::fs::read_to_string(file).expect("the plan");
        assert_eq!(written.matches("isolate: { leader_of: orders/0 }").count(), 1, "{written}");
        assert!(!written.contains("_client: C"), "the harmless faults are gone: {written}");
        let again = run(&[file]);
        assert_eq!(again.status(), Some(1), "{}", again.text());
    }
}
