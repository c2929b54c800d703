//! What an installed kplan brings along: manual pages, completions, and images of Kafka (ignored
//! unless asked for, with an engine and the base image of `ci/kafka-image`).

mod common;

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use common::{kplan, real};

const VERSION: &str = "4.1.1";

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An image of this test's own, removed in the end.
struct Made(String);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", &self.0]).output();
    }
}

/// Has the image made in `name`, with `path` searched first for programs.
fn make(name: &str, path: &Path) -> Made {
    let paths = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
    let output = kplan(&["image", VERSION, "--name", name])
        .env("PATH", paths)
        .output()
        .expect("kplan starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = format!("{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{words}");
    let made = Made(name.replace("{version}", VERSION));
    assert!(told.contains(&format!("made {}", made.0)), "{words}");
    made
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_image_is_made_again_without_a_network_and_byte_for_byte() {
    let _turn = real();
    let path = tempfile::tempdir().expect("temporary directory");
    let name = |n| format!("kplan-test-{}-{n}/kafka:{{version}}", std::process::id());
    let first = make(&name(1), path.path());
    // From here on nothing can be fetched, and no layer is found again by its name.
    for program in ["mvn", "debootstrap"] {
        let fake = path.path().join(program);
        std::fs::write(&fake, "#!/bin/sh\nexit 1\n").expect("a file");
        std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    // The base and the jars; the classes' archive above them is made by a run of Java.
    let layers = |made: &Made| {
        let all = docker(&["image", "inspect", "-f", "{{json .RootFS.Layers}}", &made.0]);
        let all: Vec<String> = serde_json::from_str(&all).expect("a list");
        assert_eq!(all.len(), 3, "{all:?}");
        all[..2].to_vec()
    };
    let before = layers(&first);
    drop(first);
    let second = make(&name(2), path.path());
    assert_eq!(layers(&second), before);
    let label = format!("kplan.run=test-image-{}", std::process::id());
    // With -Xshare:on an archive that does not fit is an error.
    let script = "cd libs && sha256sum --check --status ../SHA256SUMS && \
        KAFKA_OPTS='-Xshare:on -XX:SharedArchiveFile=/opt/kafka/kafka.jsa' ../bin/kafka-topics.sh --version";
    let version = docker(&["run", "--rm", "--label", &label, &second.0, "bash", "-c", script]);
    assert!(version.starts_with(VERSION), "{version}");
}

#[test]
fn what_cannot_be_an_image_is_told_before_anything_is_done() {
    for (args, status, word) in [
        (&["image", "0.9.0.1"][..], 2, "0.10"),
        (&["image", "latest"], 2, "not a Kafka version"),
        (&["image", "3.9.1", "4.1.1", "--name", "one"], 2, "{version}"),
        (&["image"], 2, "VERSION"),
    ] {
        let output = kplan(args).output().expect("kplan starts");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {words}");
        assert!(words.contains(word), "{args:?}: {words}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command_that_help_lists() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let man = dir.path().join("man1");
    let output = kplan(&["man", man.to_str().expect("plain path")]).output().expect("kplan starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let help = kplan(&["--help"]).output().expect("kplan starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let (_, commands) = help.split_once("Commands:\n").expect("a list of commands");
    let commands: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .collect();
    assert!(commands.contains(&"run") && commands.contains(&"image"), "{commands:?}");
    for command in commands {
        let page = man.join(format!("kplan-{command}.1"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{page:?}: {e}"));
        assert!(text.contains(".TH") && text.contains(".SH SYNOPSIS"), "{page:?}: {text}");
    }
    assert!(man.join("kplan.1").exists() && !man.join("kplan-guardian.1").exists());
}
