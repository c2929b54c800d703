//! `kplan init`: a first plan, its schema and a CI file.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
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
A file that exists is not changed.

Examples:
  kplan init
  kplan init ../shop && kplan run ../shop/plans --backend embedded")]
pub struct InitArgs {
    /// Target directory; created if it does not exist.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// Runs the command.
pub fn main(args: &InitArgs) -> Exit {
    let schema = kplan_dsl::plan_schema_text();
    let files = [
        ("plans/first.yaml", include_str!("init/first.yaml")),
        ("plans/plan.schema.json", schema.as_str()),
        (".github/workflows/kplan.yml", include_str!("init/workflow.yml")),
    ];
    let mut reported = String::new();
    for (name, text) in files {
        let path = args.dir.join(name);
        match write_new(&path, text) {
            Ok(true) => reported.push_str(&format!("wrote {}\n", path.shown())),
            Ok(false) => reported.push_str(&format!("{} exists: not changed\n", path.shown())),
            Err(error) => {
                // Files that were written before the error are listed too.
                say(&reported, Exit::Rig);
                return out::reported(&error);
            }
        }
    }
    let plans = args.dir.join("plans");
    reported.push_str(&format!("next: kplan run {} --backend embedded\n", plans.shown()));
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
