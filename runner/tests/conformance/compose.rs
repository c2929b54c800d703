//! A docker compose project of three brokers, with docker's own plugin: the files that `kplan init --compose` writes for
//! it, used. What the files are for other projects, `runner/tests/check/compose.rs` compares.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use kplan::cluster::{
    Cluster, Node, NodeState, Quorum, backend::Backend as _, external::ExternalBackend,
};
use kplan_dsl::{EnvNames, read_backend, value::DataFate};

use super::{
    Any, PLAN,
    common::{cluster::spec, compose, kplan, left_behind, root, run},
    the_whole_life,
};

/// Does what Apache's image does: settings from the variables `KAFKA_...`, by Kafka's own program, then the server.
const ENTRYPOINT: &str = r#"#!/bin/bash
set -eu
bin=/opt/kafka/bin
mkdir -p /tmp/defaults /tmp/mounted /tmp/config
for each in server.properties log4j2.yaml tools-log4j2.yaml; do : >"/tmp/defaults/$each"; done
"$bin/kafka-run-class.sh" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /tmp/defaults \
  --mounted-configs-dir /tmp/mounted --final-configs-dir /tmp/config || [[ -e /tmp/kafka-logs/meta.properties ]]
exec "$bin/kafka-server-start.sh" /tmp/config/server.properties
"#;

/// The example's project under a name of its own, on free ports; removed at its end.
struct ComposeOfTest {
    dir: tempfile::TempDir,
    image: String,
}

impl ComposeOfTest {
    /// Makes the image and starts the project.
    fn up() -> Result<Self, Any> {
        let dir = tempfile::tempdir()?;
        let name = format!("kplan-test-{:08x}", rand::random::<u32>());
        let image = format!("{name}/kafka:4.1.1");
        let mut text = fs::read_to_string(root().join("docs/how/compose.yaml"))?;
        // Whatever the policy, docker must not start again what a command killed.
        for (old, new) in [
            ("name: shop", format!("name: {name}")),
            ("${KAFKA_IMAGE:-apache/kafka:4.1.1}", format!("{image}\n  restart: always")),
        ] {
            assert!(text.contains(old), "the example has no `{old}`");
            text = text.replace(old, &new);
        }
        let free: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        for (old, port) in ["19092", "19192", "19292"].iter().zip(&free) {
            assert_eq!(text.matches(old).count(), 2, "published and advertised");
            text = text.replace(old, &port.local_addr()?.port().to_string());
        }
        drop(free);
        fs::write(dir.path().join("compose.yaml"), text)?;
        let project = Self { dir, image };
        let build = project.dir.path().join("image");
        fs::create_dir(&build)?;
        fs::write(build.join("run"), ENTRYPOINT)?;
        let file = "FROM kplan/kafka:4.1.1\nCOPY run /run-kafka\nCMD [\"bash\", \"/run-kafka\"]\n";
        fs::write(build.join("Dockerfile"), file)?;
        let mut docker = Command::new("docker");
        docker.args(["build", "--quiet", "--tag", &project.image]).arg(&build);
        well(docker.env("DOCKER_BUILDKIT", "0"))?;
        let up = ["up", "--detach", "--wait", "--wait-timeout", "180", "--pull", "never"];
        well(&mut project.compose(&up))?;
        Ok(project)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn compose(&self, words: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.args(["compose", "--file"]).arg(self.path("compose.yaml")).args(words);
        docker
    }

    /// The value of a template for each container.
    fn containers(&self, template: &str) -> Result<Vec<String>, Any> {
        let ids = well(&mut self.compose(&["ps", "--all", "--quiet"]))?;
        let mut docker = Command::new("docker");
        docker.args(["inspect", "--format", template]).args(ids.split_whitespace());
        Ok(well(&mut docker)?.lines().map(str::to_owned).collect())
    }
}

impl Drop for ComposeOfTest {
    fn drop(&mut self) {
        let down = ["down", "--volumes", "--timeout", "0"];
        let image = ["image", "rm", "--force", &self.image];
        for done in [well(&mut self.compose(&down)), well(Command::new("docker").args(image))] {
            if let Err(error) = done {
                eprintln!("left behind: {error}");
            }
        }
    }
}

/// What a command printed; an error if it failed.
fn well(command: &mut Command) -> Result<String, Any> {
    let Output { status, stdout, stderr } = command.output()?;
    match status.success() {
        true => Ok(String::from_utf8(stdout)?),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&stderr)).into()),
    }
}

/// Attaches to the cluster as soon as all three brokers are known.
async fn attached(exists: &ExternalBackend, dir: &Path) -> Result<Arc<dyn Cluster>, Any> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        match exists.launch(spec("4.1.1", Quorum::KraftCombined, dir)).await {
            Ok(cluster) => return Ok(cluster),
            Err(error) if Instant::now() > end => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker's compose plugin: ci/test"]
async fn the_files_that_init_writes_drive_the_project() -> Result<(), Any> {
    let _turn = compose();
    let project = ComposeOfTest::up()?;
    let (at, file) = (project.path("drill"), project.path("compose.yaml"));
    let mut init = kplan(&["init", "--compose"]);
    well(init.arg(&file).arg(&at))?;
    let path = at.join("backends/compose.yaml");
    let read = read_backend(&path, &EnvNames::default());
    let exists = ExternalBackend::of(Arc::new(read.file.ok_or("no mistakes")?));
    let can = exists.abilities().can;
    let external = attached(&exists, project.dir.path()).await?;
    let e = external.as_ref();
    the_whole_life(e, &can).await?;
    let two = [Node::Broker(2)];
    e.stop(&two, Duration::from_secs(60)).await?;
    let codes = project.containers("{{.State.ExitCode}} {{.State.Running}}")?;
    assert!(codes.contains(&"143 false".to_owned()), "stopped by SIGTERM: {codes:?}");
    e.start(&two, DataFate::Kept).await?;
    assert_eq!(e.state(two[0]).await?, NodeState::Running);
    e.give_back().await?;
    let backend = format!("external={}", path.display());
    // The first plan that init wrote, and one that names a broker by its number.
    for plan in [at.join("plans").display().to_string(), PLAN.to_owned()] {
        let backend = backend.clone();
        let through =
            tokio::task::spawn_blocking(move || run(&[&plan, "--backend", &backend])).await?;
        assert_eq!(through.status(), Some(0), "{}", through.why());
        assert_eq!(left_behind(&through.record.info.run), Vec::<String>::new());
    }
    // `restart: always` did nothing.
    let restarts = project.containers("{{.RestartCount}} {{.State.Running}}")?;
    assert_eq!(restarts, ["0 true"; 3]);
    Ok(())
}

/// What the tests of `kplan init --compose` take for the plugin's output is the plugin's output.
#[test]
#[ignore = "needs docker's compose plugin: ci/test"]
fn the_recorded_configurations_are_the_plugins() -> Result<(), Any> {
    let _turn = compose();
    let recorded = root().join("runner/tests/compose");
    let mut files = vec![("apache".to_owned(), root().join("docs/how/compose.yaml"))];
    for entry in fs::read_dir(&recorded)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_stem().ok_or("a name")?.to_string_lossy().into_owned();
            files.push((name, path));
        }
    }
    assert!(files.len() > 5, "{files:?}");
    for (name, file) in files {
        let mut docker = Command::new("docker");
        docker.args(["compose", "--file"]).arg(&file).args(["config", "--format", "json"]);
        let printed = well(docker.env_remove("KAFKA_IMAGE"))?;
        let kept = recorded.join(format!("{name}.json"));
        if std::env::var_os("KPLAN_BLESS").is_some() {
            fs::write(&kept, &printed)?;
        }
        // Versions of the plugin add keys that kplan does not read.
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
        assert!(
            holds(&value(&printed)?, &value(&fs::read_to_string(&kept)?)?),
            "{name}: {printed}"
        );
    }
    Ok(())
}

/// Whether a value has everything that another has.
fn holds(printed: &serde_json::Value, kept: &serde_json::Value) -> bool {
    match (printed, kept) {
        (serde_json::Value::Object(printed), serde_json::Value::Object(kept)) => kept
            .iter()
            .all(|(key, kept)| printed.get(key).is_some_and(|printed| holds(printed, kept))),
        (printed, kept) => printed == kept,
    }
}
