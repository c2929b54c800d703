//! The command line: exit statuses, clear messages, nothing on the wrong stream.

mod common;

use std::{path::Path, process::Output};

use common::kplan;

fn ended(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = kplan(args).output().expect("kplan starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn plan(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("file");
    path.to_str().expect("plain path").to_owned()
}

#[test]
fn help_has_examples_and_exit_statuses() {
    let (status, out, _) = ended(&["--help"]);
    assert_eq!(status, 0);
    assert!(out.contains("Examples:") && out.contains("Exit status"), "{out}");
    let (status, out, _) = ended(&["run", "--help"]);
    assert_eq!(status, 0);
    assert!(out.contains("--junit") && out.contains("Examples:"), "{out}");
}

#[test]
fn mistakes_are_told_all_at_once_with_line_and_column() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let text = "plan: v1\nname: Two mistakes\nsteps:\n  - start_cluster: { brokrs: 3 }\n  - kil_broker: 2\n";
    let path = plan(dir.path(), "bad.yaml", text);
    let (status, out, err) = ended(&["run", &path]);
    assert_eq!(status, 2);
    assert!(out.is_empty(), "{out}");
    assert!(err.contains("bad.yaml:4:22") && err.contains("brokers"), "{err}");
    assert!(err.contains("bad.yaml:5:5") && err.contains("kill_broker"), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn every_kind_of_bad_input_has_its_message_and_status() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let broken = plan(dir.path(), "broken.yaml", "plan: v1\nname: [\n");
    for (args, status, word) in [
        (vec!["run", "no/such/plan.yaml"], 2, "no/such/plan.yaml"),
        (vec!["run", &broken], 2, "broken.yaml"),
        (vec!["run"], 2, "PATH"),
        (vec!["runn"], 2, "run"),
        (vec!["run", "plans/quickstart.yaml", "--tag", "none-has-this"], 4, "no plan matches"),
        (vec!["run", "plans/quickstart.yaml", "--param", "nope"], 2, "NAME=VALUE"),
        (vec!["run", "plans/quickstart.yaml", "--param", "verson=1"], 2, "verson"),
    ] {
        let (code, _, err) = ended(&args);
        assert_eq!(code, status, "{args:?}: {err}");
        assert!(err.contains(word) && !err.contains("panicked"), "{args:?}: {err}");
    }
}

/// The words that run a plan in the simulation.
fn simulated(dir: &Path) -> String {
    let text = "plan: v1\nname: Tiny\nsteps:\n  - start_cluster: { brokers: 1 }\n  - assert: [{ brokers_alive: 1 }]\n";
    let path = plan(dir, "plan.yaml", text);
    format!("run {path} --backend embedded -q")
}

/// Every argument with a value that cannot be had, which is known before anything starts.
const REFUSED: [&str; 47] = [
    "RUN --out held",
    "RUN --out plan.yaml",
    "RUN --out plan.yaml/below",
    "RUN --out /proc",
    "RUN --out /proc/none",
    "RUN --junit held",
    "RUN --html plan.yaml/below",
    "RUN --html plan.yaml",
    "RUN --json same --junit same",
    "RUN --markdown /proc/none",
    "RUN --param novalue",
    "RUN --param =value",
    "RUN --params-file none",
    "RUN --params-file held",
    "RUN --jobs 0",
    "RUN --jobs many",
    "RUN --shard 0/2",
    "RUN --shard 3/2",
    "RUN --retries 101",
    "RUN --repeat 0",
    "RUN --timeout soon",
    "RUN --seed x",
    "RUN --keep perhaps",
    "RUN --broker-memory 1",
    "RUN --max-brokers 16",
    "run plan.yaml --backend none",
    "run plan.yaml --backend external",
    "run plan.yaml --backend external=none",
    "run none",
    "check none",
    "list none",
    "explain none",
    "report none",
    "report plan.yaml",
    "report held --html held",
    "report held --html plan.yaml",
    "report held --json same --junit same",
    "report held --html plan.yaml/below",
    "compare held none",
    "compare held held --output held",
    "compare held held --output plan.yaml/below",
    "compare held held --output /proc/none",
    "diff none plan.yaml",
    "init plan.yaml",
    "init /proc",
    "man plan.yaml",
    "man /proc",
];

#[test]
fn what_an_argument_names_and_cannot_be_had_is_the_command_lines_mistake() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let run = simulated(dir.path());
    let told = |line: &str| {
        let line = line.replace("RUN", &run);
        let args: Vec<&str> = line.split(' ').collect();
        let output = kplan(&args).current_dir(dir.path()).output().expect("kplan starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (status, said) = told("RUN --out held");
    assert_eq!(status, Some(0), "{said}");
    let events = || std::fs::read(dir.path().join("held/events.jsonl")).expect("the run");
    let before = events();
    for line in REFUSED {
        let (status, said) = told(line);
        assert_eq!(status, Some(2), "{line}: {said}");
        assert!(said.contains("error"), "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
    }
    assert!(!dir.path().join(".kplan/runs").exists(), "a run began");
    assert_eq!(events(), before, "the run that is there is as it was");
}

#[test]
fn a_run_whose_directory_cannot_be_had_asks_no_engine() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = plan(dir.path(), "file", "");
    let output = kplan(&["run", "plans/quickstart.yaml", "--out", &path])
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .output()
        .expect("kplan starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("cannot create the directory"), "{err}");
}

#[test]
fn an_engine_that_does_not_answer_is_the_rigs_failure() {
    let output = kplan(&["run", "plans/quickstart.yaml"])
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .output()
        .expect("kplan starts");
    assert_eq!(output.status.code(), Some(3));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("engine") && !err.contains("panicked"), "{err}");
}

#[test]
fn completions_are_printed() {
    let (status, out, _) = ended(&["completions", "bash"]);
    assert_eq!(status, 0);
    assert!(out.contains("kplan"), "{out}");
}
