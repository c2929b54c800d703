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
