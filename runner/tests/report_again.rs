//! Reports made again from a run's directory, also of a killed run, and runs side by side: the whole
//! way through the binary, on the embedded backend.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use assert_cmd::assert::OutputAssertExt as _;
use common::{gone_within, kplan, root, run_id, start};
use predicates::{prelude::*, str::contains};

/// Nothing breaks in it, so that it ends alike on any machine.
const PLAN: &str = r#"plan: v1
name: Three hundred messages
params:
  lost: 0
matrix:
  acks: [all]
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: { name: orders, partitions: 3, replicas: 3 }
  - start_producer: { name: P, topic: orders, rate: 500/s, count: 300, acks: "{{ acks }}" }
  - start_consumer: { name: C, topics: [orders] }
  - wait:
      until:
        - acked: { client: P, is: 300 }
      within: 60s
  - stop_client: [P, C]
  - assert:
      - lost: "{{ lost }}"
      - undelivered: 0
"#;

/// The plan as a file, with other words in it.
fn plan(dir: &Path, from: &str, to: &str) -> PathBuf {
    assert!(PLAN.contains(from));
    let path = dir.join("plan.yaml");
    fs::write(&path, PLAN.replace(from, to)).expect("written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("plain path")
}

/// Runs a plan on the embedded backend into `out`; what it printed on standard output.
fn ran(plan: &str, out: &Path, more: &[&str]) -> String {
    let mut args = vec!["run", plan, "--backend", "embedded", "--seed", "7", "--out", text(out)];
    args.extend(more);
    let output = kplan(&args).output().expect("kplan starts");
    assert!(out.join("events.jsonl").exists(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The four files in a directory, by the flag that asks for each.
fn files(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    ["--junit", "--html", "--markdown", "--json"]
        .map(|flag| (flag, dir.join(flag.trim_start_matches('-'))))
        .into()
}

fn flags(files: &[(&'static str, PathBuf)]) -> Vec<String> {
    files.iter().flat_map(|(flag, path)| [(*flag).to_owned(), text(path).to_owned()]).collect()
}

#[test]
fn every_report_is_made_again_byte_for_byte() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let (first, again) = (files(&dir.path().join("first")), files(&dir.path().join("again")));
    // One suite passes, one fails: every report has something to tell.
    fs::create_dir(dir.path().join("plans")).expect("made");
    plan(&dir.path().join("plans"), "acks: [all]", "lost: [0, 5]");
    let plans = dir.path().join("plans/plan.yaml");
    let text_of_plan = fs::read_to_string(&plans).expect("written");
    let text_of_plan = text_of_plan.replace("\nparams:\n  lost: 0", "\nparams:\n  acks: all");
    fs::write(&plans, text_of_plan).expect("written");
    let wanted = flags(&first);
    let more: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let printed = ran(text(&plans), &out, &more);
    kplan(&["report", text(&out)]).args(flags(&again)).assert().code(0).stdout("");
    for ((flag, first), (_, again)) in first.iter().zip(&again) {
        let first = fs::read(first).unwrap_or_else(|e| panic!("{flag}: {e}"));
        assert!(first.len() > 500, "{flag}: {} bytes", first.len());
        assert!(first == fs::read(again).expect("written"), "{flag} differs");
    }
    kplan(&["report", text(&out)]).assert().code(0).stdout(printed);
    for (format, part) in [
        ("text", "failed: 2 suites (1 failed, 1 passed)"),
        ("markdown", "## ❌ kplan: failed"),
        ("json", "\"format\": \"kplan-report/1\""),
        ("junit", "<testsuites name=\"kplan\""),
        ("junit-strict", "<testsuites name=\"kplan\""),
        ("tap", "TAP version 14"),
        ("html", "<!doctype html>"),
        ("github", "::error file="),
    ] {
        let events = out.join("events.jsonl");
        kplan(&["report", text(&events), "--format", format])
            .assert()
            .code(0)
            .stdout(contains(part));
    }
}

#[test]
fn the_parts_of_a_split_run_are_one_report() {
    let dir = tempfile::tempdir().expect("temporary directory");
    plan(dir.path(), "acks: [all]", "lost: [0, 5]");
    let path = dir.path().join("plan.yaml");
    let plan = fs::read_to_string(&path).expect("written");
    fs::write(&path, plan.replace("\nparams:\n  lost: 0", "\nparams:\n  acks: all"))
        .expect("written");
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    ran(text(&path), &one, &["--shard", "1/2"]);
    ran(text(&path), &two, &["--shard", "2/2"]);
    let files = files(&dir.path().join("all"));
    kplan(&["report", "--format", "text"])
        .args(flags(&files))
        .args(["--merge", text(&one), text(&two)])
        .assert()
        .code(0)
        .stdout(contains("failed: 2 suites (1 failed, 1 passed)"))
        .stdout(contains(text(&one)).and(contains(text(&two))));
    let read = |at: usize| fs::read_to_string(&files[at].1).expect("written");
    assert_eq!(read(0).matches("<testsuite ").count(), 2, "{}", read(0));
    let json: serde_json::Value = serde_json::from_str(&read(3)).expect("JSON");
    let runs: Vec<_> =
        json["merged"].as_array().expect("parts").iter().map(|one| &one["run"]).collect();
    let of_suites: Vec<_> =
        json["suites"].as_array().expect("suites").iter().map(|one| &one["run"]).collect();
    assert_eq!((runs.len(), of_suites.len()), (2, 2));
    assert!(of_suites.iter().all(|run| runs.contains(run)), "{json}");
    kplan(&["report", "--merge", text(&one), text(&one)])
        .assert()
        .code(2)
        .stderr(contains("is named twice"));
}

#[test]
fn a_run_that_an_earlier_version_kept_reads_as_it_did() {
    let (events, report) = ("runner/tests/kept/events.jsonl", "runner/tests/kept/report.json");
    let kept = fs::read_to_string(root().join(report)).expect("kept");
    assert_eq!(kept.matches("SIGKILL keeps the page cache").count(), 4, "faults have their kinds");
    kplan(&["report", events, "--format", "json"]).assert().code(0).stdout(kept).stderr("");
}

#[test]
fn a_killed_run_tells_what_was_known() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let mut child = start(&["runner/tests/plans/long.yaml", "--backend", "embedded"], &out);
    let id = run_id(&out, Duration::from_secs(60)).expect("the run begins");
    let end = Instant::now() + Duration::from_secs(60);
    let waits = |events: &str| {
        events.lines().any(|l| l.contains("\"step_started\"") && l.contains("\"step\":\"5\""))
    };
    while !waits(&fs::read_to_string(out.join("events.jsonl")).unwrap_or_default()) {
        assert!(Instant::now() < end, "the run never came to its wait");
        std::thread::sleep(Duration::from_millis(20));
    }
    kplan(&["report", text(&out)]).assert().code(0).stderr(contains("the run is still going on"));
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
    // The guardian removes what is left, and is the last that goes.
    let end = Instant::now() + Duration::from_secs(60);
    while kplan::processes::runner_lives(&id) {
        assert!(Instant::now() < end, "the guardian stays");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(gone_within(&id, Duration::from_secs(30)), Vec::<String>::new());

    let known = contains("the run was killed before its end")
        .and(contains("the run was killed during this step"))
        .and(contains("4 passed"));
    kplan(&["report", text(&out)]).assert().code(0).stdout(known).stderr("");
    let broken = contains("<error message=\"the run was killed during this step\"");
    kplan(&["report", text(&out), "--format", "junit"]).assert().code(0).stdout(broken);
    let page = dir.path().join("page.html");
    kplan(&["report", text(&out), "--html", text(&page)]).assert().code(0);
    let page = fs::read_to_string(&page).expect("written");
    assert!(page.contains("<h1>Broken: the run was killed before its end</h1>"), "{page}");
}

#[test]
fn failures_are_annotated_where_github_or_a_flag_asks() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let plan = "runner/tests/plans/quiet-fault.yaml";
    let run = |out: &str, github: &str, how: &str| {
        let out = dir.path().join(out);
        let out = text(&out).to_owned();
        let mut command = kplan(&["run", plan, "--backend", "embedded", "--out", &out]);
        command.args(["--annotations", how]).env("GITHUB_ACTIONS", github).assert().code(1)
    };
    let annotation = || contains(format!("\n::error file={plan},line="));
    run("on", "true", "auto").stdout(annotation());
    run("off", "false", "auto").stdout(annotation().not());
    run("asked", "false", "github").stdout(annotation());
    run("never", "true", "never").stdout(annotation().not());
}

#[test]
fn two_runs_and_the_cells_of_one_stand_side_by_side() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (one, two, cells) = (dir.path().join("1"), dir.path().join("2"), dir.path().join("3"));
    let path = plan(dir.path(), "all", "all");
    ran(text(&path), &one, &[]);
    ran(text(&path), &two, &["--param", "lost=5"]);
    let rows = contains("\n  verdict").and(contains("passed")).and(contains("\n  acked"));
    kplan(&["compare", text(&one), text(&two)]).assert().code(0).stdout(rows);
    let worse = ["compare", text(&one), text(&two), "--fail-if-worse"];
    kplan(&worse).assert().code(1).stdout(contains("worse"));
    let better = ["compare", text(&two), text(&one), "--fail-if-worse"];
    kplan(&better).assert().code(0).stdout(contains("better"));
    let page = dir.path().join("new/page.html");
    let args = ["compare", text(&one), text(&two), "--format", "html", "-o", text(&page)];
    kplan(&args).assert().code(0).stdout("");
    assert!(fs::read_to_string(&page).expect("written").starts_with("<!doctype html>"));
    // One cell a plan: nothing beside which to set it.
    kplan(&["compare", text(&one)]).assert().code(4).stderr(contains("second run"));

    let path = plan(dir.path(), "acks: [all]", "acks: [\"1\", all]");
    ran(text(&path), &cells, &[]);
    let table = contains("acks=1").and(contains("| verdict | passed | passed |"));
    kplan(&["compare", text(&cells), "--format", "markdown"]).assert().code(0).stdout(table);
    fs::write(&path, PLAN.replace("Three hundred", "Other")).expect("written");
    let other = dir.path().join("4");
    ran(text(&path), &other, &[]);
    kplan(&["compare", text(&one), text(&other)]).assert().code(4).stderr(contains("in common"));
}

#[test]
fn what_is_no_run_is_told_clearly() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let at = |name: &str, events: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).expect("made");
        fs::write(path.join("events.jsonl"), events).expect("written");
        path
    };
    let begin = r#"{"at":"2026-03-01T12:00:00Z","mono_us":1,"event":"run_started","run":"r","#;
    let newer = format!("{begin}\"kplan\":\"999.0.0\",\"shape\":[]}}\n");
    for (path, part) in [
        (dir.path().join("missing"), "there is no run in"),
        (dir.path().to_owned(), "is not the directory of a run"),
        (at("empty", ""), "it is empty"),
        (at("torn", &begin[..40]), "it is damaged or another kind of file"),
        (at("else", "hello\nworld\n"), "none of its 2 lines is an event"),
        (at("newer", &newer), "kplan 999.0.0 wrote it"),
    ] {
        for command in ["report", "compare"] {
            let clear = contains(part).and(contains("panicked").not());
            kplan(&[command, text(&path)]).assert().code(2).stdout("").stderr(clear);
        }
    }
    // Readable, but by a newer version: told, and what is known is reported.
    let known = r#""seed":1,"backend":"docker","command":[],"suites":1}"#;
    let newer =
        at("readable", &format!("{begin}\"kplan\":\"999.0.0\",{known}\n{{\"event\":\"new\"}}\n"));
    kplan(&["report", text(&newer)])
        .assert()
        .code(0)
        .stdout(contains("the run was killed before its end; 1 suite never began"))
        .stderr(contains("kplan 999.0.0 wrote this run").and(contains("newer version knows")));
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let args =
        ["run", "plans/quickstart.yaml", "--backend", "embedded", "--out", text(&out), "--html"];
    kplan(&args).arg(dir.path()).assert().code(2).stderr(contains("cannot write"));
    assert!(!out.exists(), "nothing was begun");
}
