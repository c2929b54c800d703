//! `explain`, `diff` and `list` as commands: streams, exit statuses, git.

mod common;

use std::{
    path::Path,
    process::{Command, Output},
};

use common::kplan;

const PLAN: &str = "plan: v1\nname: Small\ntags: [quick]\nsteps:\n  - start_cluster\n  - create_topic: orders\n  \
                    - start_producer: { name: P, topic: orders }\n  - kill_broker: 2\n  - stop_client: P\n  \
                    - assert: [{ lost: 0 }]\n";

fn ended(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        kplan(args).current_dir(dir).output().expect("kplan starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("below the directory")).expect("directory");
    std::fs::write(path, text).expect("file");
}

fn git(dir: &Path, args: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
        .args(args)
        .current_dir(dir)
        .output()
        .expect("git starts");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    git(dir.path(), &["init", "-q", "-b", "main"]);
    write(dir.path(), "plans/small.yaml", PLAN);
    write(dir.path(), "plans/gone.yaml", PLAN);
    write(dir.path(), "plans/with.yaml", &format!("{PLAN}  - include: part.yaml\n"));
    write(dir.path(), "plans/part.yaml", "fragment: v1\nsteps:\n  - wait: 1s\n  - note: x\n");
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-q", "-m", "one"]);
    dir
}

#[test]
fn the_plans_are_explained_and_listed() {
    let root = common::root();
    let (status, out, err) = ended(&root, &["explain", "plans/outage.yaml"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("Kill every broker with SIGKILL") && out.contains("broker 3"), "{out}");
    let (status, out, _) =
        ended(&root, &["explain", "plans/quickstart.yaml", "--format", "mermaid"]);
    assert!(status == 0 && out.starts_with("gantt\n"), "{out}");
    let (status, out, _) = ended(&root, &["list", "plans", "--allow-run", "--format", "json"]);
    assert_eq!(status, 0);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(json["plans"].as_array().is_some_and(|p| p.len() >= 6), "{out}");
    let (status, _, err) =
        ended(&root, &["list", "plans", "--allow-run", "--tag", "nobody-has-this"]);
    assert!(status == 4 && err.contains("no plan matches the paths, tags and filters"), "{err}");
}

#[test]
fn two_files_are_compared() {
    let dir = tempfile::tempdir().expect("temporary directory");
    write(dir.path(), "old.yaml", PLAN);
    write(dir.path(), "new.yaml", &PLAN.replace("lost: 0", "lost: { at_most: 5 }"));
    write(dir.path(), "bad.yaml", &PLAN.replace("lost", "lots"));
    let (status, out, _) = ended(dir.path(), &["diff", "old.yaml", "new.yaml"]);
    assert!(
        status == 0 && out.contains("weaker    `lost: 0` became `lost: { at_most: 5 }`"),
        "{out}"
    );
    let (status, out, _) = ended(dir.path(), &["diff", "old.yaml", "old.yaml"]);
    assert_eq!((status, out.as_str()), (0, "No change in meaning\n"));
    let (status, out, _) = ended(dir.path(), &["diff", "old.yaml", "bad.yaml"]);
    assert!(status == 2 && out.contains("did you mean `lost`"), "{out}");
    for (args, word) in [
        (vec!["diff", "old.yaml"], "kplan diff OLD NEW"),
        (vec!["diff", "old.yaml", "none.yaml"], "none.yaml is not a file"),
    ] {
        let (status, _, err) = ended(dir.path(), &args);
        assert!(status == 2 && err.contains(word), "{err}");
    }
}

#[test]
fn the_working_tree_and_revisions_are_compared() {
    let dir = repository();
    let path = dir.path();
    write(
        path,
        "plans/small.yaml",
        &PLAN.replace("  - kill_broker: 2\n", "  - kill_broker: 2\n    optional: true\n"),
    );
    write(path, "plans/part.yaml", "fragment: v1\nsteps:\n  - wait: 1s\n  - note: y\n");
    write(path, "plans/come.yaml", PLAN);
    write(path, "plans/broken.yaml", "plan: v1\nname: [\n");
    write(path, "other.yaml", "some: { other: thing }\n");
    std::fs::remove_file(path.join("plans/gone.yaml")).expect("removed");
    let (status, out, err) = ended(path, &["diff", "--git", "main"]);
    assert_eq!((status, err.as_str()), (2, ""), "one plan is broken");
    for word in [
        "`optional: true` is new",
        "plans/come.yaml",
        "the plan is new",
        "the plan was removed",
        "plans/broken.yaml\n  it cannot be compared",
        "`text: x` became `y`",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
    assert!(!out.contains("other.yaml"), "{out}");

    std::fs::remove_file(path.join("plans/broken.yaml")).expect("removed");
    git(path, &["add", "-A"]);
    git(path, &["commit", "-q", "-m", "two"]);
    let (status, out, _) =
        ended(&path.join("plans"), &["diff", "--git", "HEAD~1..HEAD", "small.yaml"]);
    assert!(status == 0 && out.starts_with("1 change in meaning: 1 weaker"), "{out}");
    let (status, out, _) = ended(path, &["diff", "--git", "HEAD", "--format", "markdown"]);
    assert_eq!((status, out.as_str()), (0, "**No change in meaning**\n"));
}

#[test]
fn what_git_cannot_do_is_said() {
    let dir = repository();
    for (range, word) in [
        ("nobody", "git has no revision `nobody`"),
        ("--output=owned", "git has no revision `--output=owned`"),
        ("main...HEAD", "write BASE..HEAD with two"),
        ("", "git has no revision"),
    ] {
        let git = format!("--git={range}");
        let (status, out, err) = ended(dir.path(), &["diff", &git]);
        assert!(status == 2 && err.contains(word) && out.is_empty(), "{range}: {err}");
    }
    assert!(!dir.path().join("owned").exists());
    let nowhere = tempfile::tempdir().expect("temporary directory");
    let (status, _, err) = ended(nowhere.path(), &["diff", "--git", "main"]);
    assert!(status == 2 && err.contains("no git repository"), "{err}");
}
