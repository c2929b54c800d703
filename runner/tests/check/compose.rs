//! `kplan init --compose`: what it writes for typical projects. In place of docker's plugin a script prints what the
//! plugin printed for the same file (`runner/tests/conformance/compose.rs` compares both).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};

use super::{common, dir};

/// Prints the recorded configuration of the project that a file is named after.
const DOCKER: &str = r#"#!/bin/sh
case "$2" in
  version) ;;
  --file) exec cat "RECORDED/$(basename "$3" .yaml).json" ;;
esac
"#;

fn recorded() -> std::path::PathBuf {
    common::root().join("runner/tests/compose")
}

/// `kplan ARGS` in a directory, with this program as docker: status and what it printed, its errors first.
fn with_docker(dir: &Path, script: &str, args: &[&str]) -> (i32, String) {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).expect("writable");
    let docker = bin.join("docker");
    fs::write(&docker, script.replace("RECORDED", &recorded().display().to_string()))
        .expect("writable");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).expect("permitted");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let Output { status, stdout, stderr } =
        common::kplan(args).current_dir(dir).env("PATH", path).output().expect("kplan starts");
    (status.code().unwrap_or(-1), String::from_utf8_lossy(&[stderr, stdout].concat()).into_owned())
}

/// The files that are written for a project; they must be clean for `kplan check`.
fn written(project: &str) -> String {
    let dir = dir(&[]);
    let file = format!("{project}.yaml");
    let (status, told) = with_docker(dir.path(), DOCKER, &["init", "--compose", &file]);
    assert_eq!(status, 0, "{told}");
    let backend = ["--backend", "external=backends/compose.yaml", "--deny-warnings"];
    let check = [["check", "."].as_slice(), &backend].concat();
    // Without TLS the check of the settings is left to the build that has it.
    let mut check = common::kplan(&check);
    for name in ["KAFKA_CA", "KAFKA_USER", "KAFKA_PASSWORD"] {
        check.env(name, "/");
    }
    let checked = check.current_dir(dir.path()).output().expect("kplan starts");
    let said = String::from_utf8_lossy(&checked.stdout);
    let secured = project == "secured" && !cfg!(feature = "tls");
    assert!(secured || said == "checked 1 plan: all clean\n", "{checked:?}");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("written");
    let plan = read("plans/first.yaml");
    let start = plan.find("steps:").expect("steps");
    format!("{told}\n{}\n...\n{}", read("backends/compose.yaml"), &plan[start..])
}

#[test]
fn each_project_gets_its_backend_file_and_a_plan_that_fits() {
    for project in ["apache", "plain", "confluent", "bitnami", "secured"] {
        insta::assert_snapshot!(format!("compose_{project}"), written(project));
    }
}

#[test]
fn what_kplan_cannot_test_is_refused_with_what_to_change() {
    for project in ["closed", "none", "untagged"] {
        let dir = dir(&[]);
        let file = format!("{project}.yaml");
        let (status, told) = with_docker(dir.path(), DOCKER, &["init", "--compose", &file]);
        assert_eq!(status, 2, "{told}");
        assert!(!dir.path().join("plans").exists(), "nothing is written");
        insta::assert_snapshot!(format!("compose_{project}"), told);
    }
}

#[test]
fn existing_files_stay_and_the_schemas_are_those_of_this_kplan() {
    let dir = dir(&[("shop/backends/compose.yaml", "mine")]);
    let call = ["init", "shop", "--compose", "shop/apache.yaml"];
    let (status, told) = with_docker(dir.path(), DOCKER, &call);
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("shop/backends/compose.yaml exists: not changed"), "{told}");
    assert!(told.contains("next: docker compose -f shop/apache.yaml up"), "{told}");
    let kept = fs::read_to_string(dir.path().join("shop/backends/compose.yaml")).expect("there");
    assert_eq!(kept, "mine");
    for (schema, file) in [
        ("plans/plan.schema.json", "schemas/plan.schema.json"),
        ("backends/backend.schema.json", "schemas/backend.schema.json"),
    ] {
        let read = |path: &Path| fs::read_to_string(path).expect("a schema");
        assert!(read(&dir.path().join("shop").join(schema)) == read(&common::root().join(file)));
    }
}

#[test]
fn the_errors_of_docker_are_shown_by_their_kind() {
    let dir = dir(&[]);
    let call = ["init", "--compose", "apache.yaml"];
    let refuses =
        "#!/bin/sh\n[ \"$2\" = version ] && exit\necho 'services.kafka: odd' >&2\nexit 15\n";
    let lacks = "#!/bin/sh\necho \"docker: unknown command: docker compose\" >&2\nexit 1\n";
    for (script, wanted, words) in [
        (refuses, 2, "does not accept apache.yaml:\nservices.kafka: odd"),
        (lacks, 3, "docker-compose-plugin"),
        ("#!/bin/sh\necho '[]'\n", 3, "does not understand"),
    ] {
        let (status, told) = with_docker(dir.path(), script, &call);
        assert!(status == wanted && told.contains(words), "{status}: {told}");
    }
    let without = common::kplan(&call).current_dir(dir.path()).env("PATH", "/nowhere").output();
    let without = without.expect("kplan starts");
    let said = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(3), "{said}");
    assert!(said.contains("docker is not installed"), "{said}");
    let both = [call.as_slice(), &["--service", "a", "--from", "b", "--to", "c"]].concat();
    let (status, told) = with_docker(dir.path(), DOCKER, &both);
    assert!(status == 2 && told.contains("cannot be used with"), "{status}: {told}");
}

/// The example is what kplan writes for the example, but for its schema's place.
#[test]
fn the_example_is_what_kplan_writes() {
    let dir = dir(&[]);
    let (status, told) = with_docker(dir.path(), DOCKER, &["init", "--compose", "apache.yaml"]);
    assert_eq!(status, 0, "{told}");
    let path = common::root().join("examples/backends/compose.yaml");
    let text = fs::read_to_string(dir.path().join("backends/compose.yaml")).expect("written");
    let text = text
        .replace("backend.schema.json", "../../schemas/backend.schema.json")
        .replace("apache.yaml", "docs/how/compose.yaml")
        .replace("external=backends", "external=examples/backends");
    if std::env::var_os("KPLAN_BLESS").is_some() {
        fs::write(&path, &text).expect("writable");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "KPLAN_BLESS=1 cargo test --test check writes:\n{text}");
}
