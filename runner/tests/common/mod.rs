//! What the tests of the whole binary share.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod cluster;
pub mod existing;
mod turn;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use kplan::record::RunRecord;

#[allow(unused_imports, reason = "each test binary uses its part")]
pub use turn::{Turn, alone, compose, has_engine, java, kubernetes, real};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// `kplan ARGS`, not started yet, in the repository's root.
pub fn kplan(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kplan"));
    command
        .args(args)
        .current_dir(root())
        .env_remove("KPLAN_BACKEND")
        .env_remove("KPLAN_IMAGE")
        .env_remove("KPLAN_KAFKA_DIR")
        .env_remove("GITHUB_ACTIONS")
        .env("NO_COLOR", "1");
    command
}

/// A finished run.
pub struct Ran {
    /// What it printed and how it ended.
    pub output: Output,
    /// Its record.
    pub record: RunRecord,
    /// Its JUnit.
    pub junit: String,
    _dir: tempfile::TempDir,
}

impl Ran {
    /// Exit status.
    pub fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Its events as they stand on disk.
    pub fn events(&self) -> String {
        let path = self._dir.path().join("run").join("events.jsonl");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// What is printed of a run that did not end as it should: its words, and the ends of its logs.
    pub fn why(&self) -> String {
        let mut text = self.text();
        let logs =
            self.record.suites.iter().map(|s| self.record.dir.join(&s.info.dir).join("logs"));
        let files = logs.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        for path in files.map(|file| file.path()) {
            let log = std::fs::read(&path).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            text.push_str(&format!("== {}\n", path.display()));
            for line in &lines[lines.len().saturating_sub(20)..] {
                text.extend(line.chars().take(300).chain(['\n']));
            }
        }
        text
    }

    /// Everything printed, for messages of asserts.
    pub fn text(&self) -> String {
        format!(
            "{}{}",
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr)
        )
    }
}

/// Runs plans to their end.
pub fn run(args: &[&str]) -> Ran {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let junit = dir.path().join("junit.xml");
    let mut all = vec!["run"];
    all.extend(args);
    let (out, junit_text) =
        (out.to_str().expect("plain path"), junit.to_str().expect("plain path"));
    all.extend(["--out", out, "--junit", junit_text]);
    let output = kplan(&all).output().expect("kplan starts");
    let record = RunRecord::read(Path::new(out));
    let record =
        record.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let junit = std::fs::read_to_string(&junit).unwrap_or_default();
    Ran { output, record, junit, _dir: dir }
}

/// Starts a run that is not waited for; its own directory.
pub fn start(args: &[&str], out: &Path) -> Child {
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--out", out.to_str().expect("plain path")]);
    kplan(&all).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kplan starts")
}

/// The run's id, once its directory tells it.
pub fn run_id(out: &Path, limit: Duration) -> Option<String> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
        let first =
            text.lines().next().and_then(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        if let Some(id) = first.as_ref().and_then(|e| e["run"].as_str()) {
            return Some(id.to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// What is left of a run: processes, containers, networks.
pub fn left_behind(run: &str) -> Vec<String> {
    let mut left: Vec<String> =
        kplan::processes::processes_of(run).iter().map(|pid| format!("process {pid}")).collect();
    let directories = kplan::cluster::local::cleanup::list_runs().remove(run);
    left.extend(directories.map(|traces| traces.counts()));
    let filter = format!("label=kplan.run={run}");
    for (what, list, name) in [
        ("container", ["ps", "--all"].as_slice(), "{{.Names}}"),
        ("network", &["network", "ls"], "{{.Name}}"),
        ("volume", &["volume", "ls"], "{{.Name}}"),
    ] {
        let mut command = Command::new("docker");
        command.args(list).args(["--filter", &filter, "--format", name]);
        // Without an engine there is nothing of its to be left; a test with brokers has one. It may
        // stumble over what is just being removed: then it is not known to be gone.
        let Ok(output) = command.output() else { continue };
        if has_engine() && !output.status.success() {
            left.push(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        left.extend(String::from_utf8_lossy(&output.stdout).lines().map(|l| format!("{what} {l}")));
    }
    left
}

/// Waits until nothing is left; what is left when the limit has passed.
pub fn gone_within(run: &str, limit: Duration) -> Vec<String> {
    let end = Instant::now() + limit;
    loop {
        let left = left_behind(run);
        if left.is_empty() || Instant::now() > end {
            return left;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
