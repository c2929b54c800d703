//! `kplan schema`: the JSON Schema of plans.

use std::path::PathBuf;

use clap::Args;

use crate::{
    exit::Exit,
    out::{Shown as _, say, tell},
};

/// A file that is longer is no schema of kplan's.
const LONGEST: u64 = 16 << 20;

/// Arguments of `kplan schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status of --check: 0 current; 2 old, or no schema at all.

Editors with yaml-language-server complete and explain a plan that begins with
  # yaml-language-server: $schema=plan.schema.json

Examples:
  kplan schema > plan.schema.json
  kplan schema --backend > backend.schema.json
  kplan schema --check plan.schema.json")]
pub struct SchemaArgs {
    /// Only say whether this file is the schema of this version of kplan.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// The schema of backend files (--backend external=FILE) instead of that of plans.
    #[arg(long)]
    pub backend: bool,
}

/// Does it.
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
            tell!("error: {shown} is not the schema of this kplan: kplan schema{flag} > {shown}");
            Exit::Usage
        }
        Err(error) => {
            tell!("error: cannot read {shown}: {error}");
            Exit::Usage
        }
    }
}
