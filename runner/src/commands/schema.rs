//! `kplan schema`: the JSON Schema of plans.

use std::path::PathBuf;

use clap::Args;

use crate::{
    exit::Exit,
    out::{Shown as _, say, tell},
};

/// The most bytes that are read: a longer file is no schema of kplan's.
const LONGEST: u64 = 16 << 20;

/// Arguments of `kplan schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status of --check: 0 the file is current; 2 it differs or cannot be read.

Editors with yaml-language-server complete and explain a plan that begins with this line:
  # yaml-language-server: $schema=plan.schema.json

Examples:
  kplan schema > plan.schema.json
  kplan schema --backend > backend.schema.json
  kplan schema --check plan.schema.json")]
pub struct SchemaArgs {
    /// Only check whether this file is the schema of this version of kplan.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Print the schema of backend files (--backend external=FILE) instead of the schema of plans.
    #[arg(long)]
    pub backend: bool,
}

/// Runs the command.
pub fn main(args: &SchemaArgs) -> Exit {
    let text = match args.backend {
        true => kplan_dsl::backend_schema_text(),
        false => kplan_dsl::plan_schema_text(),
    };
    let Some(path) = &args.check else { return say(&text, Exit::Passed) };
    let shown = path.shown();
    let flag = if args.backend { " --backend" } else { "" };
    match kplan_dsl::Files::read(&kplan_dsl::Disk, path, LONGEST) {
        Ok(kept) if kept == text.as_bytes() => say(&format!("{shown} is current\n"), Exit::Passed),
        Ok(_) => {
            tell!(
                "error: {shown} is not the schema of this kplan; update it: kplan schema{flag} > {shown}"
            );
            Exit::Usage
        }
        Err(error) => {
            tell!("error: cannot read {shown}: {error}");
            Exit::Usage
        }
    }
}
