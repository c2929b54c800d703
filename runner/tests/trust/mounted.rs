//! The disk under the run's directory is full.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{NOTICED, Under, until};

/// A file system of a few bytes, gone when it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// Fails the test where this process may not mount.
    fn mount(bytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "kplan-test"])
            .arg(dir.path())
            .output()
            .expect("mount starts");
        let said = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "this test mounts a small file system (root): {said}");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no space at all.
    fn fill(&self) {
        let mut rest = std::fs::File::create(self.path().join("rest")).expect("a file");
        let block = [0; 4096];
        while std::io::Write::write_all(&mut rest, &block).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !Command::new("umount").arg(self.path()).status().is_ok_and(|s| s.success())
            && Instant::now() < end
        {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Starts a plan with its directory in `small`, and its report outside.
fn start(small: &Small, plan: &str) -> Under {
    let outside = tempfile::tempdir().expect("temporary directory");
    let out = small.path().join("run");
    Under::start_in(&out, outside, &[plan, "--backend", "embedded"], &[])
}

#[test]
#[ignore = "needs to mount a file system: ci/test"]
fn clients_that_cannot_record_are_a_broken_rig() {
    let small = Small::mount(24 << 20);
    let mut run = start(&small, "runner/tests/plans/many-records.yaml");
    run.until_step("4");
    small.fill();
    let record = run.ends_broken("cannot record what it does");
    assert!(record.ended.is_some(), "the end had its place on the full disk");
    run.leaves_nothing();
}

#[test]
#[ignore = "needs to mount a file system: ci/test"]
fn events_that_cannot_be_written_end_the_run_with_its_report() {
    let small = Small::mount(24 << 20);
    let mut run = start(&small, "runner/tests/plans/many-notes.yaml");
    until(NOTICED, "some notes", || run.events().matches("\"note\"").count() > 50);
    small.fill();
    let record = run.ends_broken("no space is left for the run's events");
    assert!(record.ended.is_some() && record.damaged_lines == 0, "nothing was cut off");
    assert!(run.said().contains("no space is left"), "{}", run.said());
    run.leaves_nothing();
}

#[test]
#[ignore = "needs to mount a file system: ci/test"]
fn a_disk_that_is_full_from_the_beginning_is_said() {
    let small = Small::mount(1 << 20);
    small.fill();
    let out = small.path().join("run");
    let elsewhere = tempfile::tempdir().expect("temporary directory");
    let plan = "runner/tests/plans/patient.yaml";
    let mut command = crate::run_command(
        &out,
        &elsewhere.path().join("junit.xml"),
        &[plan, "--backend", "embedded"],
    );
    let ran = command.output().expect("kplan starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("o space") && !said.contains("panicked"), "{said}");
}
