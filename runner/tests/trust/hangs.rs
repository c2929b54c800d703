//! What freezes or never comes up.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::{NOTICED, Under, common::real, send, until};

const PATIENT: &str = "runner/tests/plans/patient.yaml";

#[test]
fn a_client_that_somebody_freezes_is_a_broken_rig() {
    let mut run = Under::start(&[PATIENT, "--backend", "embedded"], &[]);
    run.until_step("4");
    let clients = run.clients();
    assert_eq!(clients.len(), 1, "the producer");
    send(clients[0], Signal::SIGSTOP);
    run.ends_broken("client P was paused from outside");
    run.leaves_nothing();
}

/// Names of the run's containers.
fn containers(run: &Under) -> Vec<String> {
    let filter = format!("label=kplan.run={}", run.id);
    let list = ["ps", "--filter", &filter, "--format", "{{.Names}}"];
    let output = Command::new("docker").args(list).output().expect("docker starts");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn pause(container: &str) {
    let paused = Command::new("docker").args(["pause", container]).output();
    assert!(paused.expect("docker starts").status.success());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_somebody_freezes_is_a_broken_rig() {
    let _turn = real();
    let mut run = Under::start(&[PATIENT], &[]);
    run.until_step("4");
    pause(&containers(&run)[0]);
    run.ends_broken("broker 1 was paused from outside");
    run.leaves_nothing();
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_lives_and_never_comes_up_is_no_broken_rig() {
    let _turn = real();
    let mut run = Under::start(&["runner/tests/plans/never-up.yaml"], &[]);
    until(NOTICED, "a container", || !containers(&run).is_empty());
    run.ends_failed("the cluster did not come up");
    run.leaves_nothing();
}
