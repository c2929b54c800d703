//! Trust: whatever the machine does to kplan, it ends within a limit, with the right verdict and a
//! report, and leaves nothing. Those on real brokers are ignored unless asked for.

mod clock;
#[path = "../common/mod.rs"]
mod common;
mod engine;
mod hangs;
mod kills;
mod mounted;
mod proxy;
mod reuse;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use common::{gone_within, kplan, run_id};
use kplan::{event::Verdict, processes::processes_of, record::RunRecord};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Until a run notices, reports and removes everything, on a machine that is busy with other tests.
const NOTICED: Duration = Duration::from_secs(120);
/// Until the guardian has removed what a run left.
const GONE: Duration = Duration::from_secs(30);

/// A run under way.
struct Under {
    child: Child,
    id: String,
    out: PathBuf,
    junit: PathBuf,
    dir: TempDir,
}

impl Under {
    /// Starts `kplan run ARGS` in a directory of its own.
    fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let out = dir.path().join("run");
        Self::start_in(&out, dir, args, env)
    }

    /// Starts `kplan run ARGS` with this directory for its run, and another one for what else it says.
    fn start_in(out: &Path, dir: TempDir, args: &[&str], env: &[(&str, &str)]) -> Self {
        let junit = dir.path().join("junit.xml");
        let mut command = run_command(out, &junit, args);
        let said = std::fs::File::create(dir.path().join("said")).expect("a file");
        command.envs(env.iter().copied()).stderr(said).stdout(std::process::Stdio::null());
        let child = command.spawn().expect("kplan starts");
        let id = run_id(out, Duration::from_secs(60)).expect("the run began");
        Self { child, id, out: out.to_owned(), junit, dir }
    }

    fn events(&self) -> String {
        std::fs::read_to_string(self.out.join("events.jsonl")).unwrap_or_default()
    }

    /// What it printed for people beside the report.
    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("said")).unwrap_or_default()
    }

    /// Waits until a step has begun.
    fn until_step(&self, step: &str) {
        let word = format!(r#""suite":1,"event":"step_started","step":"{step}""#);
        until(NOTICED, &format!("step {step}"), || self.events().contains(&word));
    }

    /// Client processes of the run.
    fn clients(&self) -> Vec<i32> {
        let is_client = |pid: &u32| cmdline(*pid).contains("client\0--run");
        let all = processes_of(&self.id).into_iter().filter(is_client);
        all.map(u32::cast_signed).collect()
    }

    /// The guardian's process.
    fn guardian(&self) -> Option<i32> {
        let pids = std::fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
        let mut pids = pids.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        let own = format!("guardian\0--run\0{}", self.id);
        pids.find(|pid| cmdline(*pid).contains(&own)).map(u32::cast_signed)
    }

    fn signal(&self, signal: Signal) {
        send(i32::try_from(self.child.id()).expect("a pid"), signal);
    }

    /// The end, within the limit.
    fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + NOTICED;
        loop {
            if let Some(status) = self.child.try_wait().expect("waited for") {
                return status;
            }
            assert!(Instant::now() < end, "no end within {NOTICED:?}: {}", self.events());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The run ends by itself as broken, with a report that says why.
    fn ends_broken(&mut self, why: &str) -> RunRecord {
        self.ends_as(3, Verdict::Broken, ("<error", "<failure"), why)
    }

    /// The run ends by itself as failed, with a report that says why.
    fn ends_failed(&mut self, why: &str) -> RunRecord {
        self.ends_as(1, Verdict::Failed, ("<failure", "<error"), why)
    }

    /// `tags`: what the JUnit report has, and what it has not.
    fn ends_as(&mut self, code: i32, verdict: Verdict, tags: (&str, &str), why: &str) -> RunRecord {
        let status = self.ends();
        assert_eq!(status.code(), Some(code), "whose failure it was: {}", self.said());
        let record = RunRecord::read(&self.out).expect("a record");
        let suite = &record.suites[0];
        assert_eq!(suite.verdict, verdict, "{}", self.said());
        let reasons = suite.steps.iter().filter_map(|s| s.reason.clone());
        let reasons: Vec<_> = reasons.chain(suite.reasons.iter().map(|r| r.text.clone())).collect();
        assert!(reasons.iter().any(|r| r.contains(why)), "{reasons:?}");
        let junit = std::fs::read_to_string(&self.junit).expect("a report");
        assert!(junit.contains(tags.0) && !junit.contains(tags.1), "{junit}");
        assert!(!self.said().contains("panicked"), "{}", self.said());
        record
    }

    /// Nothing is left of it.
    fn leaves_nothing(&self) {
        let left = gone_within(&self.id, GONE);
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Under {
    /// A test that failed leaves no run behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run_command(out: &Path, junit: &Path, args: &[&str]) -> Command {
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--out", out.to_str().expect("plain"), "--junit", junit.to_str().expect("plain")]);
    kplan(&all)
}

fn cmdline(pid: u32) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).into_owned()
}

/// A process that is gone already is as good as signalled.
fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

fn until(limit: Duration, what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "{what} took longer than {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
