//! `kplan init`: a first plan, its schema and a CI file.

mod compose;

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::{
    exit::{Exit, refused},
    out::{self, Shown as _, say},
    rundir::make_dir,
};

/// Arguments of `kplan init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes plans/first.yaml, plans/plan.schema.json and .github/workflows/kplan.yml.
With --service it writes plans/service.yaml in place of plans/first.yaml: a plan that starts your service,
kills an instance and a broker, and counts what the service left out.
With --compose it writes backends/compose.yaml and plans/first.yaml with their schemas: a plan for the Kafka brokers of
your docker compose project, and the file by which kplan finds, kills and starts them.
A file that exists is not changed.

Examples:
  kplan init
  kplan init --service acme/invoicing:1.4 --from orders --to invoices
  kplan init --compose docker-compose.yaml
  kplan init ../shop && kplan run ../shop/plans --backend embedded")]
pub struct InitArgs {
    /// Target directory; created if it does not exist.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The container image of a service of your own.
    #[arg(long, value_name = "IMAGE", requires = "from", requires = "to")]
    pub service: Option<String>,
    /// The topic that the service reads.
    #[arg(long, value_name = "TOPIC", requires = "service")]
    pub from: Option<String>,
    /// The topic that the service writes.
    #[arg(long, value_name = "TOPIC", requires = "service")]
    pub to: Option<String>,
    /// The compose file of a project with Kafka, which `docker compose` reads.
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    pub compose: Option<PathBuf>,
}

/// A file that is written: its name below the target directory, and its text.
type NewFile = (&'static str, String);

impl InitArgs {
    fn files(&self) -> anyhow::Result<Vec<NewFile>> {
        let schema = ("plans/plan.schema.json", kplan_dsl::plan_schema_text());
        if let Some(file) = &self.compose {
            let written = compose::written(file, &self.dir)?;
            return Ok(vec![
                (compose::BACKEND, written.backend),
                ("backends/backend.schema.json", kplan_dsl::backend_schema_text()),
                ("plans/first.yaml", written.plan),
                schema,
            ]);
        }
        let workflow = include_str!("init/workflow.yml").to_owned();
        Ok(vec![self.plan()?, schema, (".github/workflows/kplan.yml", workflow)])
    }

    /// The first plan of a cluster that kplan starts.
    fn plan(&self) -> anyhow::Result<NewFile> {
        let (Some(image), Some(from), Some(to)) = (&self.service, &self.from, &self.to) else {
            return Ok(("plans/first.yaml", include_str!("init/first.yaml").to_owned()));
        };
        let text = of_service(image, from, to);
        let options = kplan_dsl::Options {
            images: Some(vec![image.clone()]),
            ..kplan_dsl::Options::default()
        };
        let checked = kplan_dsl::check_text(Path::new("service.yaml"), &text, &options);
        if checked.has_errors() {
            let shown = kplan_dsl::render(&checked.diagnostics, &checked.sources, false);
            let wrong = anyhow!("these names cannot stand in a plan:\n{}", shown.trim_end());
            return Err(refused(wrong));
        }
        Ok(("plans/service.yaml", text))
    }

    /// What to do next.
    fn next(&self) -> String {
        let plans = self.dir.join("plans");
        match (&self.service, &self.compose) {
            (None, None) => format!("kplan run {} --backend embedded", plans.shown()),
            (None, Some(file)) => {
                let backend = self.dir.join(compose::BACKEND);
                format!(
                    "docker compose -f {} up --detach --wait && kplan run {} --backend external={}",
                    file.shown(),
                    plans.shown(),
                    backend.shown()
                )
            }
            (Some(image), _) => {
                let plan = self.dir.join("plans/service.yaml");
                let image = kplan_dsl::visible::one_line(image);
                format!("kplan run {} --allow-image '{image}'", plan.shown())
            }
        }
    }
}

/// The plan for a service. A text of JSON is one of YAML.
fn of_service(image: &str, from: &str, to: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let first = quoted(&format!("{from}/0"));
    let values =
        [("IMAGE", quoted(image)), ("FROM_0", first), ("FROM", quoted(from)), ("TO", quoted(to))];
    values.into_iter().fold(include_str!("init/service.yaml").to_owned(), |text, (name, value)| {
        text.replace(&format!("@{name}@"), &value)
    })
}

/// Runs the command.
pub fn main(args: &InitArgs) -> Exit {
    let files = match args.files() {
        Ok(files) => files,
        Err(error) => return out::reported(&error),
    };
    let mut reported = String::new();
    for (name, text) in files {
        let path = args.dir.join(name);
        match write_new(&path, &text) {
            Ok(true) => reported.push_str(&format!("wrote {}\n", path.shown())),
            Ok(false) => reported.push_str(&format!("{} exists: not changed\n", path.shown())),
            Err(error) => {
                // Files that were written before the error are listed too.
                say(&reported, Exit::Rig);
                return out::reported(&error);
            }
        }
    }
    reported.push_str(&format!("next: {}\n", args.next()));
    say(&reported, Exit::Passed)
}

/// False if something of this name exists, even a dangling link.
fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    if let Some(parent) = path.parent() {
        make_dir(parent).map_err(refused)?;
    }
    let written = match fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => Err(error),
    };
    written.with_context(|| format!("cannot write {}", path.shown()))?;
    Ok(true)
}
