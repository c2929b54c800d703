//! What is secret shows nowhere, what is private is private, and what a stranger's plan may do is bounded.

mod common;

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use common::{kplan, left_behind, real, root, run_id};
use kplan_dsl::visible::SECRET;

const PASSWORD: &str = "tr0ub4dor&3 \"<é>";
const TOKEN: &str = "token-5f0c1b";
const INNER: &str = "one-of-several";

/// Every file and directory below.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let quoted = format!("{secret:?}");
    // As it is, and as JSON, HTML and XML would write it.
    let html = secret
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    [secret, quoted.trim_matches('"'), &html].iter().any(|form| text.contains(*form))
}

/// Command lines of all processes.
fn process_list() -> Vec<u8> {
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    all.filter_map(|e| std::fs::read(e.path().join("cmdline")).ok()).flatten().collect()
}

/// Waits for the end, and looks at the process list meanwhile.
fn watch(mut child: Child, secrets: &[&str]) -> std::process::Output {
    let end = Instant::now() + Duration::from_secs(300);
    let mut looks = 0;
    while child.try_wait().expect("a child").is_none() {
        let list = process_list();
        for secret in secrets {
            assert!(!holds(&list, secret), "the process list holds {secret}");
        }
        looks += 1;
        assert!(Instant::now() < end, "the run does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(looks > 2, "the run ended before anybody looked");
    child.wait_with_output().expect("its output")
}

/// A run with every report; the files go below `dir`.
fn begin(plan: &str, backend: &str, dir: &Path) -> Child {
    let file = |name: &str| dir.join(name).to_str().expect("plain path").to_owned();
    let params = file("params.json");
    let text = serde_json::json!({ "password": PASSWORD, "several": [INNER] });
    let mut text = text;
    if plan.contains("real") {
        text.as_object_mut().expect("a map").remove("several");
    }
    std::fs::write(&params, text.to_string()).expect("parameters");
    let reports = ["junit", "html", "markdown", "json"]
        .into_iter()
        .flat_map(|kind| [format!("--{kind}"), file(&format!("run/report.{kind}"))]);
    let mut command = kplan(&["run", plan, "--backend", backend, "--verbose", "--allow-run"]);
    command
        .args([
            "--params-file",
            &params,
            "--allow-env",
            "KPLAN_TEST_TOKEN",
            "--annotations",
            "github",
        ])
        .args(["--out", &file("run")])
        .args(reports)
        .env("KPLAN_TEST_TOKEN", TOKEN)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("kplan starts")
}

/// Nothing below `run` and nothing printed holds a secret; all of it is private.
fn assert_hidden(run: &Path, output: &std::process::Output, secrets: &[&str]) {
    let printed = [output.stdout.clone(), output.stderr.clone()].concat();
    let text = String::from_utf8_lossy(&printed);
    let mut masked = 0;
    for path in below(run) {
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            continue;
        }
        // A report goes where and as its user wants it.
        if path.file_stem().is_none_or(|stem| stem != "report") {
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        let bytes = std::fs::read(&path).expect("readable");
        masked += u32::from(holds(&bytes, "***"));
        for secret in secrets {
            assert!(!holds(&bytes, secret), "{} holds {secret}", path.display());
        }
    }
    for secret in secrets {
        assert!(!holds(&printed, secret), "printed: {text}");
    }
    assert!(masked >= 2, "the secrets were used, and stars stand in their place: {masked}");
}

#[test]
fn secrets_are_in_no_report_no_log_no_file_and_no_process_list() {
    let dir = tempfile::tempdir().expect("a directory");
    let secrets = [PASSWORD, TOKEN, INNER];
    let output = watch(begin("runner/tests/plans/secrets.yaml", "embedded", dir.path()), &secrets);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "it is wrong on purpose: {text}");
    assert_hidden(&dir.path().join("run"), &output, &secrets);
    let again = kplan(&["report", dir.path().join("run").to_str().expect("plain")])
        .output()
        .expect("kplan");
    assert!(again.status.success() && secrets.iter().all(|s| !holds(&again.stdout, s)));
}

/// Every value that a secret of a fragment ever has: its default, what the plan that includes it says, also as
/// an expression that only the run knows, and what filters make of it.
#[test]
fn secrets_of_fragments_are_hidden_whatever_gives_their_value() {
    let dir = tempfile::tempdir().expect("a directory");
    let parts: [(&str, &str); 3] = [
        (
            "plan.yaml",
            "plan: v1\nname: Fragments\nparams: { top: { default: plans-default, secret: true } }\nsteps:\n  \
             - start_cluster: { brokers: 1 }\n  - create_topic: { name: t, replicas: 1 }\n  \
             - include: { file: part.yaml, params: { pass: \"{{ top }}\" } }\n  \
             - include: { file: part.yaml, params: { pass: said-by-include } }\n  \
             - { record: [{ acked: {} }], capture: then }\n  - repeat:\n      for_each: [one, two]\n      as: x\n      \
             steps:\n        - include: { file: part.yaml, params: { pass: \"late-{{ x }}-{{ run.id }}\" } }\n        \
             - include: { file: deep.yaml }\n  - assert: [{ brokers_alive: 1 }]\n",
        ),
        (
            "part.yaml",
            "fragment: v1\nparams: { pass: { default: fragments-default, secret: true } }\nsteps:\n  \
             - note: \"it is {{ pass }}, {{ pass | upper }}, {{ pass | lower }}, {{ pass | capitalize }}\"\n  \
             - produce: { topic: t, messages: [{ key: \"{{ pass }}\", value: \"v {{ pass }}\" }] }\n  \
             - { name: \"step {{ pass }}\", note: ok }\n  - run: { command: [echo, \"x{{ pass }}\"] }\n",
        ),
        (
            "deep.yaml",
            "fragment: v1\nsteps:\n  - include: { file: part.yaml }\n  \
             - include: { file: part.yaml, params: { pass: said-deep-inside } }\n",
        ),
    ];
    for (name, text) in parts {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let file = |name: &str| dir.path().join(name).to_str().expect("plain path").to_owned();
    let mut args = vec!["run".to_owned(), file("plan.yaml"), "--out".to_owned(), file("run")];
    for kind in ["junit", "html", "markdown", "json"] {
        args.extend([format!("--{kind}"), file(&format!("run/report.{kind}"))]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let rest =
        ["--backend", "embedded", "--verbose", "--allow-run", "--param", "top=Said-By-Param"];
    let mut command = kplan(&args);
    let output = command.args(rest).args(["--annotations", "github"]).output().expect("kplan");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let id = run_id(&dir.path().join("run"), Duration::from_secs(5)).expect("an id");
    let late = [format!("late-one-{id}"), format!("late-two-{id}")];
    let known = ["plans-default", "said-by-include", "fragments-default", "said-deep-inside"];
    for secret in known.into_iter().chain(["Said-By-Param", &late[0], &late[1]]) {
        for form in [secret.to_owned(), secret.to_uppercase(), secret.to_lowercase()] {
            assert_hidden(&dir.path().join("run"), &output, &[&form]);
        }
    }
}

/// What only the run knows is asked for its secrets when the run knows it.
#[test]
fn a_late_secret_is_handed_over_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = "fragment: v1\nparams: { x: {} }\nsteps:\n  - note: \"part {{ x[6:] }}\"\n";
    let outer = "fragment: v1\nparams: { pass: { secret: true } }\nsteps:\n  \
                 - include: { file: inner.yaml, params: { x: \"{{ pass }}\" } }\n";
    let plan = "plan: v1\nname: Late\nsteps:\n  - start_cluster: { brokers: 1 }\n  \
                - include: { file: outer.yaml, params: { pass: \"secret{{ run.id }}\" } }\n  \
                - assert: [{ brokers_alive: 1 }]\n";
    for (name, text) in [("inner.yaml", inner), ("outer.yaml", outer), ("plan.yaml", plan)] {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let file = |name: &str| dir.path().join(name).to_str().expect("plain path").to_owned();
    let mut command = kplan(&["run", &file("plan.yaml"), "--out", &file("run")]);
    let output = command.args(["--backend", "embedded"]).output().expect("kplan");
    let text = [output.stdout, output.stderr].concat();
    let all = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(1), "{all}");
    assert!(holds(&text, "uses a secret in a way"), "{all}");
    let id = run_id(&dir.path().join("run"), Duration::from_secs(5)).expect("an id");
    assert!(!holds(&text, &format!("part {id}")), "{all}");
}

#[test]
fn diagnostics_do_not_tell_the_secret_that_they_are_about() {
    let mut command = kplan(&["check", "dsl/tests/cases/start_producer/secret_in_a_message.yaml"]);
    let output = command.env("KPLAN_PARAM_RATE", "hunter22").output().expect("kplan");
    let text = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&text));
    assert!(
        holds(&text, "E013") && !holds(&text, "hunter22"),
        "{}",
        String::from_utf8_lossy(&text)
    );
}

/// Commands that show plans show no secret of theirs, wherever it comes from and wherever it stands.
#[test]
fn plans_are_shown_without_their_secrets() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plan.yaml");
    let file = file.to_str().expect("plain path");
    let at = "{{ p }} {{ env.TOK }} {{ params.p }}";
    let plan = format!(
        "plan: v1\nname: 'n {at}'\ndescription: 'd {at}'\nparams:\n  p: {{ secret: true, default: {INNER} }}\n\
         matrix:\n  m: ['x {{{{ env.TOK }}}}', y]\nsteps:\n  - note: 's {at} {{{{ m }}}}'\n  \
         - start_cluster: {{ brokers: 1 }}\n  - {{ name: 'w {at}', wait: 1s }}\n  - assert: [brokers_alive: 1]\n"
    );
    std::fs::write(file, plan).expect("written");
    for command in [
        &["explain", file] as &[&str],
        &["explain", file, "--format", "markdown"],
        &["explain", file, "--format", "mermaid"],
        &["list", file],
        &["list", file, "--format", "json"],
        &["check", file],
        &["check", file, "--format", "json"],
    ] {
        let mut child = kplan(command);
        let shown = child.args(["--allow-env", "TOK"]).env("TOK", TOKEN).output().expect("it ran");
        let text = [shown.stdout, shown.stderr].concat();
        let all = String::from_utf8_lossy(&text);
        // What `check` shows of this plan has none to hide.
        assert_eq!(all.contains(SECRET), command[0] != "check", "{command:?}: {all}");
        for secret in [TOKEN, INNER] {
            assert!(!holds(&text, secret), "{command:?} shows {secret}: {all}");
        }
    }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn containers_are_told_secrets_in_files_and_are_held_to_their_bounds() {
    let _turn = real();
    let dir = tempfile::tempdir().expect("a directory");
    let child = begin("runner/tests/plans/secrets-real.yaml", "docker", dir.path());
    let out = dir.path().join("run");
    let run = run_id(&out, Duration::from_secs(60)).expect("the run begins");
    let inspected = inspect(&run, Duration::from_secs(120));
    let output = watch(child, &[PASSWORD]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!holds(inspected.to_string().as_bytes(), PASSWORD), "{inspected}");
    let host = &inspected[0]["HostConfig"];
    assert_eq!(host["Memory"], 2_u64 << 30);
    assert_eq!(host["PidsLimit"], 4096);
    assert_eq!(host["Privileged"], false);
    assert!(
        host["CapAdd"].as_array().is_none_or(Vec::is_empty),
        "the plan disturbs no network: {host}"
    );
    assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
    assert!(
        host["Binds"].as_array().is_none_or(Vec::is_empty)
            && inspected[0]["Mounts"] == serde_json::json!([])
    );
    assert_hidden(&out, &output, &[PASSWORD]);
    let left = left_behind(&run);
    assert!(left.is_empty(), "{left:?}");
}

/// What the engine tells of the run's containers, once there is one that runs.
fn inspect(run: &str, limit: Duration) -> serde_json::Value {
    let end = Instant::now() + limit;
    let filter = format!("label=kplan.run={run}");
    loop {
        let ids = Command::new("docker")
            .args(["ps", "-q", "--filter", &filter])
            .output()
            .expect("docker");
        let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
        if let Some(id) = ids.lines().next() {
            let told = Command::new("docker").args(["inspect", id]).output().expect("docker");
            return serde_json::from_slice(&told.stdout).expect("JSON");
        }
        assert!(Instant::now() < end, "no container of the run appears");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Who starts a program of this machine: kplan itself, git for `diff`, docker for `init --compose`, what `run` and a
/// backend file name, Java and its fetcher for the local backend, and the script that makes an image.
#[test]
fn processes_are_started_in_known_places_and_never_by_a_shell() {
    let mut starters = Vec::new();
    for source in ["runner/src", "dsl/src"] {
        let sources = below(&root().join(source));
        assert!(!sources.is_empty());
        for path in sources {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            // Tests stand at the end of a file, or in one of their own.
            let own = name.ends_with("_tests.rs");
            let code = text.split("#[cfg(test)]").next().filter(|_| !own).unwrap_or_default();
            if code.contains("Command::new") {
                starters.push(name.clone());
            }
            let shell = ["\"sh\"", "\"/bin/sh\"", "\"bash\"", "\"/bin/bash\""];
            if shell.iter().any(|shell| code.contains(shell)) {
                // In containers, and for the script of `kplan image`, in which no plan has a say.
                let known = name.starts_with("runner/src/cluster/docker/")
                    || name.starts_with("runner/src/cluster/kubernetes/")
                    || name == "runner/src/commands/image.rs";
                assert!(known, "{name} starts a shell");
            }
        }
    }
    starters.sort();
    assert_eq!(
        starters,
        [
            "runner/src/client/handle.rs",
            "runner/src/client/program/command.rs",
            "runner/src/cluster/external/command.rs",
            "runner/src/cluster/local/java.rs",
            "runner/src/cluster/local/node.rs",
            "runner/src/cluster/local/power.rs",
            "runner/src/cluster/local/software/fetch.rs",
            "runner/src/commands/diff/git.rs",
            "runner/src/commands/image.rs",
            "runner/src/commands/init/compose.rs",
            "runner/src/guardian.rs",
            "runner/src/steps/run.rs",
        ]
    );
}
