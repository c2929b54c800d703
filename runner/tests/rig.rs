//! Faults against kplan itself: what the machine takes away is a broken rig, never a broken Kafka.
//! Those on real brokers are ignored unless asked for.

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use common::{gone_within, real, run, run_id, start};
use kplan::{event::Verdict, guardian::processes_of, record::RunRecord};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const PLAN: &str = "runner/tests/plans/patient.yaml";
/// Until a run notices, reports and removes everything.
const NOTICED: Duration = Duration::from_secs(60);

/// A run of the patient plan that waits for its condition by now.
struct Waiting {
    child: std::process::Child,
    id: String,
    out: PathBuf,
    junit: PathBuf,
    _dir: tempfile::TempDir,
}

impl Waiting {
    fn start(backend: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (out, junit) = (dir.path().join("run"), dir.path().join("junit.xml"));
        let junit_text = junit.to_str().expect("plain");
        let child = start(&[PLAN, "--backend", backend, "--junit", junit_text], &out);
        let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
        let waiting = Self { child, id, out, junit, _dir: dir };
        waiting.until(Duration::from_secs(60), "the wait to begin", |w| {
            let events = std::fs::read_to_string(w.out.join("events.jsonl")).unwrap_or_default();
            events.contains(r#""event":"step_started","suite":1,"step":"4""#)
        });
        waiting
    }

    fn until(&self, limit: Duration, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + limit;
        while !done(self) {
            assert!(Instant::now() < end, "{what} took longer than {limit:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The run ends by itself as broken, with a report that says why, and leaves nothing.
    fn ends_broken(mut self, why: &str) {
        let end = Instant::now() + NOTICED;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waited for") {
                break status;
            }
            assert!(Instant::now() < end, "no end within {NOTICED:?}");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(status.code(), Some(3), "the rig failed, not the plan");
        let record = RunRecord::read(&self.out).expect("a record");
        assert_eq!(record.suites[0].verdict, Verdict::Broken);
        let reasons: Vec<_> =
            record.suites[0].steps.iter().filter_map(|s| s.reason.clone()).collect();
        assert!(reasons.iter().any(|r| r.contains(why)), "{reasons:?}");
        let junit = std::fs::read_to_string(&self.junit).expect("a report");
        assert!(junit.contains("<error") && !junit.contains("<failure"), "{junit}");
        let left = gone_within(&self.id, Duration::from_secs(15));
        assert!(left.is_empty(), "{left:?}");
    }
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_client_that_somebody_kills_is_a_broken_rig() {
    let waiting = Waiting::start("embedded");
    let is_client = |pid: &u32| {
        let words = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        String::from_utf8_lossy(&words.unwrap_or_default()).contains("client\0--run")
    };
    let clients: Vec<u32> = processes_of(&waiting.id).into_iter().filter(is_client).collect();
    assert_eq!(clients.len(), 1, "the producer");
    kill(Pid::from_raw(clients[0].cast_signed()), Signal::SIGKILL).expect("signalled");
    waiting.ends_broken("client P was ended from outside");
}

#[test]
fn a_command_does_not_outlive_a_killed_runner() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let plan = "runner/tests/plans/long-command.yaml";
    let mut child = start(&[plan, "--backend", "embedded", "--allow-run"], &out);
    let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
    let end = Instant::now() + Duration::from_secs(30);
    while processes_of(&id).is_empty() {
        assert!(Instant::now() < end, "the command began");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("reaped");
    let left = gone_within(&id, Duration::from_secs(15));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_container_that_vanishes_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    let filter = format!("label=kplan.run={}", waiting.id);
    let broker = docker(&["ps", "--quiet", "--filter", &filter]);
    docker(&["rm", "--force", &broker]);
    waiting.ends_broken("broker 1");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_somebody_kills_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    let filter = format!("label=kplan.run={}", waiting.id);
    let broker = docker(&["ps", "--quiet", "--filter", &filter]);
    docker(&["kill", &broker]);
    waiting.ends_broken("broker 1");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_network_that_somebody_takes_away_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    let label = format!("label=kplan.run={}", waiting.id);
    let broker = docker(&["ps", "--quiet", "--filter", &label]);
    let network = docker(&["network", "ls", "--quiet", "--filter", &label]);
    docker(&["network", "disconnect", "--force", &network, &broker]);
    waiting.ends_broken("broker 1 was taken out of the brokers' network");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_cannot_take_a_setting_is_the_plans() {
    let _turn = real();
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("plan.yaml");
    let plan = "plan: v1\nname: A setting\nsteps:\n  - start_cluster: { brokers: 1, config: { num.io.threads: 0 } }\n  \
                - assert:\n      - brokers_alive: 1\n";
    std::fs::write(&path, plan).expect("written");
    let ran = run(&[path.to_str().expect("plain")]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let step = &ran.record.suites[0].steps[0];
    let cause = step.cause.as_ref().expect("a cause");
    assert_eq!(cause.whose, kplan::event::Whose::Plan, "{:?}", step.reason);
    let words = step.reason.clone().unwrap_or_default();
    assert!(words.contains("num.io.threads"), "{words}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_image_that_cannot_start_kafka_says_so() {
    let _turn = real();
    let ran = run(&[PLAN, "--image", "kplan/base:bookworm"]);
    assert_eq!(ran.status(), Some(3), "{}", ran.text());
    assert_eq!(ran.record.suites[0].verdict, Verdict::Broken);
    assert!(ran.text().contains("broker 1"), "{}", ran.text());
    let left = gone_within(&ran.record.info.run, Duration::from_secs(15));
    assert!(left.is_empty(), "{left:?}");
}
