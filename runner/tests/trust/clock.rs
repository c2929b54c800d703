//! The machine's wall clock jumps. Only the processes of the run see it: clock.c is loaded before the
//! C library and tells them a time that is off by what this test says.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use kplan::{event::Verdict, record::RunRecord};
use tempfile::TempDir;

use crate::{Under, common::real};

const HOUR_S: i64 = 3600;

/// A wall clock that can be set.
struct Clock(TempDir);

impl Clock {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust/clock.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(dir.path().join("clock.so"))
            .arg(source)
            .output()
            .expect("a C compiler");
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{said}");
        let clock = Self(dir);
        clock.set(0);
        clock
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Off by this from now on, for who began before too: the file is written in place.
    fn set(&self, seconds: i64) {
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let mut file = options.open(self.path("off")).expect("a file");
        std::io::Write::write_all(&mut file, &seconds.to_ne_bytes()).expect("written");
    }
}

/// The quickstart, with a clock that jumps an hour ahead before its fault and two hours back after it.
fn jumps(backend: &str) {
    let clock = Clock::make();
    let (library, off) = (clock.path("clock.so"), clock.path("off"));
    let env = [
        ("LD_PRELOAD", library.to_str().expect("plain")),
        ("KPLAN_TEST_CLOCK", off.to_str().expect("plain")),
    ];
    let mut run = Under::start(&["plans/quickstart.yaml", "--backend", backend], &env);
    run.until_step("5");
    let clients = run.clients();
    assert!(!clients.is_empty());
    for pid in clients {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("a client lives");
        assert!(maps.contains("clock.so"), "clients see the clock too");
    }
    clock.set(HOUR_S);
    run.until_step("8");
    clock.set(-HOUR_S);
    let status = run.ends();
    assert!(status.success(), "{status}: {}\n{}", run.said(), run.events());
    let record = RunRecord::read(&run.out).expect("a record");
    assert_eq!(record.suites[0].verdict, Verdict::Passed);
    assert!(minutes(&run.events()) < 10, "{}", run.events());
    run.leaves_nothing();
}

/// Minutes from the first to the last time that the run tells of.
fn minutes(events: &str) -> i64 {
    let at = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event");
        event["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time")
    };
    let mut times: Vec<_> = events.lines().map(at).collect();
    times.sort();
    times[times.len() - 1].duration_since(times[0]).as_mins()
}

#[test]
fn a_jump_of_the_wall_clock_changes_nothing() {
    jumps("embedded");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_jump_of_the_wall_clock_changes_nothing_on_real_brokers() {
    let _turn = real();
    jumps("docker");
}
