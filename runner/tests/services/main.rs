//! Services: programs of the plan's author, as clients of a run.

mod collected;
#[path = "../common/mod.rs"]
mod common;
mod relay;
mod traffic;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use common::{Ran, gone_within, left_behind, real, run, run_id, start};
use kplan::{
    event::{Verdict, Whose},
    processes::processes_of,
};

/// Until the guardian has removed what a run left.
const GONE: Duration = Duration::from_secs(60);

/// Runs a plan of services on the embedded backend.
fn services(plan: &str, more: &[&str]) -> Ran {
    let path = format!("runner/tests/plans/services/{plan}.yaml");
    run(&[&[path.as_str(), "--backend", "embedded", "--allow-run"], more].concat())
}

/// The failed step: its verdict, whose fault it is, its text, and the log in its cause.
fn failed(ran: &Ran) -> (Verdict, Option<Whose>, String, Vec<String>) {
    let step = ran.record.suites[0].steps.iter().find(|s| s.verdict != Verdict::Passed);
    let step = step.unwrap_or_else(|| panic!("nothing failed: {}", ran.why()));
    let cause = step.cause.as_ref();
    let log = cause.map(|c| c.log.clone()).unwrap_or_default();
    (step.verdict, cause.map(|c| c.whose), step.reason.clone().unwrap_or_default(), log)
}

#[test]
fn instances_are_members_that_every_step_about_clients_works_on() {
    // Two suites at the same time: each has a service S.
    let ran = services("lives", &["--repeat", "2", "--jobs", "2"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let events = ran.events();
    // What the plan ended is no end by itself.
    assert!(!events.contains("ended by itself"), "{events}");
    assert!(events.contains("the program ended: killed by SIGKILL"), "{events}");
    assert!(left_behind(&ran.record.info.run).is_empty());
}

#[test]
fn a_service_that_ends_at_once_fails_the_plan_with_its_last_lines() {
    let ran = services("dies", &[]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let (verdict, whose, text, log) = failed(&ran);
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Service)), "{text}");
    assert_eq!(text, "service S ended by itself: exit status 3");
    assert_eq!(log, ["no brokers"]);
    // Status 0 is no better: it does not run.
    let ran = services("dies", &["--param", "script=exit 0"]);
    assert_eq!((ran.status(), failed(&ran).1), (Some(1), Some(Whose::Service)), "{}", ran.why());
}

#[test]
fn a_program_that_does_not_exist_is_a_mistake_of_the_plan() {
    let ran = services("missing", &[]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let (verdict, whose, text, _) = failed(&ran);
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Plan)), "{text}");
    assert!(text.contains("cannot start /nowhere/program: No such file"), "{text}");
}

#[test]
fn an_end_by_itself_that_no_step_reports_fails_the_plan() {
    let ran = services("dies-later", &[]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let suite = &ran.record.suites[0];
    assert!(suite.steps.iter().all(|step| step.verdict == Verdict::Passed), "{}", ran.why());
    let reason = suite.reasons.first().expect("a reason");
    let text = &reason.text;
    assert!(text.starts_with("service S ended by itself: killed by SIGKILL"), "{text}");
    assert!(reason.evidence.iter().any(|line| line == "the disk is full"), "{reason:?}");
}

#[test]
fn a_start_after_an_end_by_itself_is_a_restart() {
    let ran = services("started-again", &[]);
    // The first end is still reported.
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let suite = &ran.record.suites[0];
    assert!(suite.steps.iter().all(|step| step.verdict == Verdict::Passed), "{}", ran.why());
    let text = &suite.reasons.first().expect("a reason").text;
    assert!(text.starts_with("service S ended by itself: exit status 4"), "{text}");
}

#[test]
fn a_service_that_ignores_sigterm_is_not_stopped_in_time_and_not_left_behind() {
    let ran = services("deaf", &[]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let (verdict, whose, text, _) = failed(&ran);
    assert_eq!((verdict, whose), (Verdict::Failed, Some(Whose::Service)), "{text}");
    assert!(text.contains("service S was not stopped within"), "{text}");
    assert!(left_behind(&ran.record.info.run).is_empty());
}

#[test]
fn a_service_that_writes_without_end_is_followed_and_killed() {
    let ran = services("loud", &[]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
}

#[test]
fn a_runner_that_is_killed_leaves_no_service() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("run");
    let plan = "runner/tests/plans/services/long.yaml";
    let mut runner = start(&[plan, "--backend", "embedded", "--allow-run"], &out);
    let id = run_id(&out, GONE).expect("the run began");
    let end = Instant::now() + GONE;
    // Two clients, and of each the shell and two that sleep.
    while processes_of(&id).len() < 8 {
        assert!(Instant::now() < end, "{:?}", processes_of(&id));
        thread::sleep(Duration::from_millis(20));
    }
    runner.kill().expect("killed");
    runner.wait().expect("reaped");
    let left = gone_within(&id, GONE);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn answers_are_judged_by_status_and_body() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut asked, mut chunk) = (Vec::new(), [0; 1024]);
            while !asked.ends_with(b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(read @ 1..) => asked.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            let found = asked.starts_with(b"GET /numbers ");
            let status = if found { "200 OK" } else { "404 Not Found" };
            let _ =
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 11\r\n\r\n{{\"count\":7}}");
        }
    });
    let url = format!("url=http://127.0.0.1:{port}");
    let ran = services("asked", &["--param", &url]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_service_in_a_container_lives_in_the_clusters_network() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/services/container.yaml", "--backend", "docker"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert!(left_behind(&ran.record.info.run).is_empty());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_service_in_a_container_logs_in_as_clients_do() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/services/container-users.yaml", "--backend", "docker"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn one_instance_is_cut_off_from_the_brokers_over_its_restart_and_another_is_not() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/services/container-line.yaml", "--backend", "docker"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let faults: Vec<&str> =
        ran.record.suites[0].faults.iter().map(|fault| fault.what.as_str()).collect();
    assert!(faults.contains(&"S/1 cut off from the brokers"), "{faults:?}");
    assert!(left_behind(&ran.record.info.run).is_empty());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_container_that_the_plan_kills_and_one_that_ends_by_itself_are_told_apart() {
    let _turn = real();
    let plan = "runner/tests/plans/services/container-dies.yaml";
    let ran = run(&[plan, "--backend", "docker"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let suite = &ran.record.suites[0];
    assert!(suite.steps.iter().all(|step| step.verdict == Verdict::Passed), "{}", ran.why());
    // Only the second life ended by itself.
    assert_eq!(suite.reasons.len(), 1, "{:?}", suite.reasons);
    let reason = &suite.reasons[0];
    assert!(reason.text.starts_with("service S ended by itself: exit status 7"), "{reason:?}");
    assert!(reason.evidence.iter().any(|line| line == "no space left"), "{reason:?}");
    assert!(left_behind(&ran.record.info.run).is_empty());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_image_that_the_engine_lacks_is_a_lack_of_the_machine() {
    let _turn = real();
    let plan = "runner/tests/plans/services/no-image.yaml";
    let ran = run(&[plan, "--backend", "docker", "--allow-image", "kplan/no-such-image:1"]);
    assert_eq!(ran.status(), Some(3), "{}", ran.why());
    let (verdict, whose, text, _) = failed(&ran);
    assert_eq!((verdict, whose), (Verdict::Broken, Some(Whose::Rig)), "{text}");
    assert!(text.contains("the engine has no image kplan/no-such-image:1"), "{text}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_container_that_writes_without_end_is_followed_and_killed() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/services/container-loud.yaml", "--backend", "docker"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    // Its client saw each of its ends: it had not to be killed itself.
    let ends = ran.events().matches("the program ended: killed by SIGKILL").count();
    assert_eq!(ends, 5, "{}", ran.events());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_client_in_a_container_ends_by_a_line() {
    let _turn = real();
    let plan = "runner/tests/plans/services/container-told.yaml";
    let ran = run(&[plan, "--backend", "docker", "--allow-image", "kplan/kafka"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn programs_that_the_plan_does_not_own_are_no_mistake() {
    let _turn = real();
    let plan = "runner/tests/plans/services/container-others.yaml";
    let ran = run(&[plan, "--backend", "docker", "--allow-image", "kplan/kafka"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
}
