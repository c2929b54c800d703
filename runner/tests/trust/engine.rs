//! The container engine dies or hangs in the middle.

use crate::{Under, common::real, proxy::Proxy};

const PATIENT: &str = "runner/tests/plans/patient.yaml";

fn waiting(proxy: &Proxy) -> Under {
    let run = Under::start(&[PATIENT], &[("DOCKER_HOST", &proxy.host())]);
    run.until_step("4");
    run
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_engine_that_dies_is_a_broken_rig_and_what_it_held_goes_when_it_is_back() {
    let _turn = real();
    let proxy = Proxy::start();
    let mut run = waiting(&proxy);
    proxy.cut();
    run.ends_broken("container engine");
    assert!(run.said().contains("kplan clean"), "what is left is said: {}", run.said());
    proxy.restore();
    run.leaves_nothing();
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_engine_that_hangs_is_a_broken_rig() {
    let _turn = real();
    let proxy = Proxy::start();
    let mut run = waiting(&proxy);
    proxy.hold();
    run.ends_broken("the container engine stopped answering");
    proxy.restore();
    run.leaves_nothing();
}

#[test]
fn without_an_engine_there_is_one_message() {
    let proxy = Proxy::start();
    proxy.cut();
    let host = proxy.host();
    let ran = crate::common::kplan(&["run", PATIENT])
        .env("DOCKER_HOST", &host)
        .output()
        .expect("kplan starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains(&host) && said.contains("--backend embedded"), "{said}");
    assert!(proxy.path().exists(), "it was there and did not answer");
}
