//! `kplan init --compose`: a backend file and a first plan for the Kafka of a docker compose project.

use std::{collections::BTreeMap, io::ErrorKind, path::Path, process::Command};

use anyhow::{Context as _, anyhow};
use kplan_dsl::{EnvNames, Memory, Options, read_backend_with, render};

use self::{
    project::{ComposeProject, KafkaOfProject},
    text::{backend_text, plan_text},
};
use crate::{exit::refused, out::Shown as _};

mod project;
mod release;
mod text;

/// The backend file, below the directory of `kplan init`.
pub const BACKEND: &str = "backends/compose.yaml";

/// The texts of the backend file and of the first plan.
#[derive(Debug)]
pub struct ComposeFiles {
    /// The text of [`BACKEND`].
    pub backend: String,
    /// The text of the first plan.
    pub plan: String,
}

/// The files for the project that a compose file describes. The file is read by docker's own plugin: it knows all
/// forms of the file, and the variables that it uses. `dir` is the directory of the files.
pub fn written(file: &Path, dir: &Path) -> anyhow::Result<ComposeFiles> {
    let named = file.strip_prefix(dir).unwrap_or(file).to_string_lossy();
    of_project(&configuration(file)?, &kplan_dsl::visible::one_line(&named))
}

/// What `docker compose config` prints of a file, as JSON.
fn configuration(file: &Path) -> anyhow::Result<String> {
    let docker = |arguments: &mut Command| match arguments.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(anyhow!("docker is not installed: {PLUGIN}"))
        }
        Err(error) => Err(anyhow!(error).context("cannot start docker")),
        Ok(output) if output.status.success() => Ok(Ok(output.stdout)),
        Ok(output) => Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    };
    if let Err(told) = docker(Command::new("docker").args(["compose", "version"]))? {
        return Err(anyhow!("`docker compose` does not work here: {PLUGIN}\n{told}"));
    }
    let mut config = Command::new("docker");
    config.args(["compose", "--file"]).arg(file).args(["config", "--format", "json"]);
    match docker(&mut config)? {
        Ok(json) => String::from_utf8(json).context("`docker compose config` printed no UTF-8"),
        Err(told) => Err(refused(anyhow!(
            "`docker compose config` does not accept {}:\n{told}",
            file.shown()
        ))),
    }
}

const PLUGIN: &str = "`kplan init --compose` needs docker with its compose plugin, version 2 or newer (the package \
                      docker-compose-plugin of Docker, docker-compose of Debian 13, docker-compose-v2 of Ubuntu)";

/// The files for a project as `docker compose config --format json` prints it.
fn of_project(json: &str, file: &str) -> anyhow::Result<ComposeFiles> {
    let project: ComposeProject = serde_json::from_str(json)
        .context("kplan does not understand what `docker compose config --format json` printed")?;
    let kafka = KafkaOfProject::find(&project).map_err(refused)?;
    let written = ComposeFiles { backend: backend_text(&kafka, file), plan: plan_text(&kafka) };
    read_by_kplan(&written)?;
    Ok(written)
}

/// Only files that kplan itself accepts are written.
fn read_by_kplan(written: &ComposeFiles) -> anyhow::Result<()> {
    let text = BTreeMap::from([(BACKEND.into(), written.backend.clone().into_bytes())]);
    // The variables are asked for when the file is used.
    let allowed = text::VARIABLES.map(|name| (name.to_owned(), "/".to_owned())).into();
    let env = EnvNames { allowed, trusted: true };
    let backend = read_backend_with(Path::new(BACKEND), &env, Box::new(Memory(text)));
    let plan = kplan_dsl::check_text(Path::new("first.yaml"), &written.plan, &Options::default());
    let shown = [
        render(&backend.diagnostics, &backend.sources, false),
        render(&plan.diagnostics, &plan.sources, false),
    ];
    match shown.concat().trim_end() {
        "" => Ok(()),
        wrong => Err(refused(anyhow!("kplan cannot test this project:\n{wrong}"))),
    }
}
