//! Strangers' plans on every command and in every format, and streams that take nothing.
//!
//! The commands and their formats come from the command line's own declaration: a new one without a line
//! in [`calls`] fails here.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use clap::CommandFactory as _;
use kplan::cli::Cli;
use kplan_dsl::visible::is_hidden;

mod common;

/// What a stranger writes: colours, a title, a bell, C1 controls, bidi, separators, nothing wide, line
/// breaks that fake a line, and tags. Blinking text is nothing that kplan ever writes.
const EVIL: &str = r"e\e[5mvil\e]0;t\a\x9b5m\x90q\x9c\b\x7f\u202e\u2066\u200f\u061c\u2028\u2029\N\u200b\u200d\ufeff\U000e0041\r\nFAKED <img src=x>";
/// Standard error is no Markdown, whatever the format of the result.
const TALK: &str = " on standard error";
/// The same in file names.
const EVIL_FILE: &str = "e\x1b[5m\x1b]0;t\x07\u{9b}5m\u{202e}\u{2028}\u{200b}\r\nFAKED.yaml";

/// A plan that runs to a failure and says what a stranger says wherever a plan can say something.
fn plan() -> String {
    format!(
        "plan: v1\nname: \"N {EVIL}\"\ndescription: \"D {EVIL}\"\ntags: [\"T {EVIL}\"]\nparams:\n  p: {{ default: \"P {EVIL}\", \
         description: \"Q {EVIL}\" }}\nmatrix:\n  m: [\"M {EVIL}\"]\nsteps:\n  - name: \"S {EVIL}\"\n    note: \"O {EVIL} \
         {{{{ p }}}} {{{{ m }}}}\"\n  - start_cluster: {{ brokers: 1 }}\n  - create_topic: {{ name: t, partitions: 1, \
         replicas: 1 }}\n  - produce: {{ topic: t, messages: [{{ key: \"K {EVIL}\", value: \"V {EVIL}\" }}] }}\n  \
         - name: \"A {EVIL}\"\n    consume: {{ topic: t, until: {{ count: 1 }}, expect: [{{ value: \"W {EVIL}\" }}] }}\n"
    )
}

/// A plan whose every word is wrong.
fn wrong() -> String {
    format!(
        "plan: v1\nname: \"N {EVIL}\"\nparams:\n  p: {{ default: \"P {EVIL}\", one_of: [\"X {EVIL}\"] }}\nsteps:\n  \
         - \"U {EVIL}\": 1\n  - note: x\n    \"Y {EVIL}\": 1\n  - create_topic: {{ name: \"Z {EVIL}\" }}\n  - include: \"I {EVIL}\"\n"
    )
}

/// Hostile files, and the directory of a run that ended.
struct Scene {
    dir: tempfile::TempDir,
    plan: String,
    wrong: String,
    run: String,
}

fn kplan(dir: &Path, args: &[&str]) -> Command {
    let mut command = common::kplan(args);
    // Colours are wanted: only so it is seen whose they are.
    command.current_dir(dir).env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    // An engine that is there, or not, is no part of what is tested.
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    // A language server reads requests until its input ends.
    command.stdin(Stdio::null());
    command
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().expect("temporary directory");
    let folder = format!("d{EVIL_FILE}");
    fs::create_dir(dir.path().join(&folder)).expect("a directory");
    let (plan_file, wrong_file) =
        (format!("{folder}/p{EVIL_FILE}"), format!("{folder}/w{EVIL_FILE}"));
    fs::write(dir.path().join(&plan_file), plan()).expect("a plan");
    fs::write(dir.path().join(&wrong_file), wrong()).expect("a plan");
    let run = format!("{folder}/run");
    let args =
        ["run", &plan_file, "--backend", "embedded", "--out", &run, "--annotations", "github"];
    let ran = kplan(dir.path(), &args).output().expect("kplan starts");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    Scene { dir, plan: plan_file, wrong: wrong_file, run }
}

/// How a command is called with hostile words, without its format.
fn calls<'s>(command: &str, scene: &'s Scene) -> Vec<Vec<&'s str>> {
    let (plan, wrong, run) = (scene.plan.as_str(), scene.wrong.as_str(), scene.run.as_str());
    match command {
        "run" => {
            vec![vec![plan, "--backend", "embedded", "--verbose"], vec![wrong], vec!["--x\x1b[5m"]]
        }
        "check" | "list" | "explain" => {
            vec![vec![plan], vec![wrong], vec![plan, "--param", "p=\u{1b}[5m"]]
        }
        "diff" => vec![vec![plan, plan], vec![plan, wrong], vec![plan, run]],
        "report" => vec![vec![run], vec![plan]],
        "compare" => vec![vec![run, run], vec![plan]],
        "words" => vec![vec![], vec!["e\x1b[5m\n\u{9b}"], vec!["wait"]],
        "doctor" => vec![vec!["--kafka-dir", plan, "--image", "e\x1b[5m{version}"]],
        "clean" => vec![vec!["--dry-run", plan]],
        "schema" => vec![vec![], vec!["--check", plan]],
        "init" => {
            let folder = scene.plan.rsplit_once('/').expect("a folder").0;
            vec![vec![folder], vec![folder, "--compose", "/nowhere/e\x1b[5m\u{9b}"]]
        }
        "completions" => vec![vec!["bash"], vec!["zsh"], vec!["fish"], vec!["e\x1b[5m"]],
        "client" => vec![
            vec!["test", "--", "/nowhere/e\x1b[5m"],
            vec!["test", "--consumer", "--", "/nowhere", "e\x1b[5m"],
            vec!["e\x1b[5m"],
        ],
        "image" => vec![vec!["e\x1b[5m\u{9b}"]],
        "lsp" => vec![vec![], vec!["--backend", "e\x1b[5m\u{9b}"]],
        other => panic!("`{other}` is not tried with strangers' words: add how it is called"),
    }
}

/// Every way to call every command, in every format.
fn all_calls(scene: &Scene) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let formats = command.get_arguments().find(|arg| arg.get_id() == "format");
        let formats: Vec<String> = formats
            .iter()
            .flat_map(|arg| arg.get_possible_values())
            .map(|value| value.get_name().to_owned())
            .collect();
        for call in calls(command.get_name(), scene) {
            let plain: Vec<String> =
                [command.get_name()].into_iter().chain(call).map(str::to_owned).collect();
            for format in &formats {
                let mut call = plain.clone();
                call.extend(["--format".to_owned(), format.clone()]);
                all.push(call);
            }
            all.push(plain);
        }
        all.push(vec![command.get_name().to_owned(), "--help".to_owned()]);
    }
    all
}

/// Text without kplan's own colours; what is left may hold nothing that a terminal obeys or hides.
fn without_colours(text: &str) -> String {
    let colour =
        regex::Regex::new("\x1b\\[([0-4]|[0-9]{2,3}|38;5;[0-9]+)(;[0-9]+)*m").expect("a pattern");
    colour.replace_all(text, "").into_owned()
}

fn harmless(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
    let left = without_colours(text);
    let bad = left.char_indices().find(|(_, c)| is_hidden(*c) && *c != '\n');
    if let Some((at, c)) = bad {
        let around = &left
            [left.floor_char_boundary(at.saturating_sub(60))..left.ceil_char_boundary(at + 20)];
        panic!("{what}: {c:?} in {around:?}");
    }
    // Tags say there what belongs to what; `explain` fills lines with words, wherever they break.
    let free = what.starts_with("[\"explain\"")
        || ["junit", "junit-strict", "html"]
            .iter()
            .any(|f| what == *f || what.ends_with(&format!("\"{f}\"]")));
    for line in left.lines().filter(|_| !free) {
        assert!(!line.trim_start().starts_with("FAKED"), "{what}: a line was faked: {left}");
    }
    if what.contains("markdown") && !what.ends_with(TALK) {
        // In code everything is shown as it is.
        let outside =
            regex::Regex::new("(?s)```+.*?```+|`[^`]*`").expect("a pattern").replace_all(&left, "");
        assert!(!outside.contains("<img"), "{what}: HTML in {outside}");
    }
}

#[test]
fn nothing_of_a_stranger_is_obeyed_or_hidden_by_any_command_in_any_format() {
    let scene = scene();
    let files = ["junit", "html", "markdown", "json"];
    let flags: Vec<String> = files.iter().map(|f| format!("--{f}=out.{f}")).collect();
    let mut report = vec!["report", scene.run.as_str()];
    report.extend(flags.iter().map(String::as_str));
    let done = kplan(scene.dir.path(), &report).output().expect("kplan starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for file in files {
        harmless(file, &fs::read(scene.dir.path().join(format!("out.{file}"))).expect("a report"));
    }
    let mut shown = 0;
    for call in all_calls(&scene) {
        let args: Vec<&str> = call.iter().map(String::as_str).collect();
        let Output { status, stdout, stderr } =
            kplan(scene.dir.path(), &args).output().expect("kplan starts");
        let what = format!("{call:?}");
        assert!(status.code().is_some_and(|code| code != 101), "{what}: {status}");
        harmless(&what, &stdout);
        harmless(&format!("{what}{TALK}"), &stderr);
        let all = [stdout, stderr].concat();
        shown += usize::from(String::from_utf8_lossy(&all).contains("\\u{1b}[5m"));
    }
    assert!(shown > 20, "{shown} outputs show what the stranger wrote: else nothing was tried");
}

/// A pipe whose reader is gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn no_command_panics_on_a_full_or_closed_stream() {
    let scene = scene();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("/dev/full"));
    for call in all_calls(&scene) {
        let args: Vec<&str> = call.iter().map(String::as_str).collect();
        let run = |out: Stdio, err: Stdio| {
            let command = kplan(scene.dir.path(), &args).stdout(out).stderr(err).spawn();
            command.and_then(std::process::Child::wait_with_output).expect("kplan starts")
        };
        let normal = run(Stdio::piped(), Stdio::piped());
        let quiet = normal.stdout.is_empty();
        let (gone, filled) = (run(closed_pipe(), Stdio::piped()), run(full(), Stdio::piped()));
        let deaf = run(closed_pipe(), closed_pipe());
        let shut = kplan(scene.dir.path(), &[])
            .output()
            .map(|_| shell(scene.dir.path(), &args))
            .expect("starts");
        for (how, ended) in [("pipe", &gone), ("full", &filled), ("deaf", &deaf), ("shut", &shut)] {
            let told = String::from_utf8_lossy(&ended.stderr);
            assert!(!told.contains("panicked"), "{call:?} {how}: {told}");
            assert!(
                ended.status.code().is_some_and(|c| c != 101),
                "{call:?} {how}: {}",
                ended.status
            );
        }
        assert_eq!(gone.status.code(), normal.status.code(), "{call:?}: a reader that went away");
        if !quiet {
            let told = String::from_utf8_lossy(&filled.stderr).into_owned();
            assert!(
                !filled.status.success() && told.contains("standard output"),
                "{call:?}: {told}"
            );
        }
    }
}

/// kplan with standard output and standard error closed.
fn shell(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" >&- 2>&-", env!("CARGO_BIN_EXE_kplan")]).args(args);
    command.current_dir(dir).env("DOCKER_HOST", "unix:///nowhere.sock").output().expect("sh starts")
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let fifo = dir.path().join("fifo.yaml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    fs::write(dir.path().join("p.yaml"), "plan: v1\nname: x\nsteps:\n  - include: fifo.yaml\n")
        .expect("a plan");
    fs::create_dir(dir.path().join("run")).expect("a directory");
    nix::unistd::mkfifo(&dir.path().join("run/events.jsonl"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a FIFO");
    for args in [
        vec!["check", "fifo.yaml"],
        vec!["run", "fifo.yaml"],
        vec!["explain", "/dev/zero"],
        vec!["check", "p.yaml"],
        vec!["check", "p.yaml", "--params-file", "fifo.yaml"],
        vec!["check", "p.yaml", "--backend", "external=fifo.yaml"],
        vec!["schema", "--check", "fifo.yaml"],
        vec!["report", "run"],
        vec!["compare", "run", "run"],
    ] {
        let limited = Command::new("timeout")
            .args(["20", env!("CARGO_BIN_EXE_kplan")])
            .args(&args)
            .current_dir(dir.path())
            .output()
            .expect("timeout starts");
        let told = String::from_utf8_lossy(&[limited.stdout, limited.stderr].concat()).into_owned();
        assert_eq!(limited.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains("not a regular file"), "{args:?}: {told}");
    }
}

#[test]
fn a_report_is_not_written_over_the_plan() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let at = |name: &str| -> PathBuf { dir.path().join(name) };
    let text = "plan: v1\nname: x\nsteps:\n  - note: x\n";
    fs::write(at("p.yaml"), text).expect("a plan");
    for flag in ["--html", "--junit", "--json", "--markdown"] {
        let args = ["run", "p.yaml", "--backend", "embedded", flag, "p.yaml"];
        let ended = kplan(dir.path(), &args).output().expect("kplan starts");
        assert_eq!(ended.status.code(), Some(2), "{flag}");
        assert_eq!(fs::read_to_string(at("p.yaml")).expect("still there"), text, "{flag}");
    }
}
