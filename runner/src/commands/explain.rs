//! `kplan explain`: describes in words what a plan will do.

use clap::{Args, ValueEnum};
use kplan_dsl::{ExplainFormat, Plan, explain};

use crate::{
    cluster::backend::Setup,
    commands::{
        list::ended,
        plans::{self, Selection},
    },
    exit::Exit,
    out::{say, tell},
};

/// The output format of explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For the terminal.
    Text,
    /// For a pull request or a wiki page.
    Markdown,
    /// The timeline alone, as a Mermaid diagram.
    Mermaid,
}

/// Arguments of `kplan explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kplan explain plans/outage.yaml
  kplan explain plans/ --tag failover --format markdown > drills.md
  kplan explain plans/quickstart.yaml --format mermaid > timeline.mmd")]
pub struct ExplainArgs {
    #[command(flatten)]
    selection: Selection,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn main(args: &ExplainArgs) -> Exit {
    let checked = match plans::check(&args.selection, Setup::default()) {
        Ok(checked) => checked,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    checked.tell();
    let wanted: Vec<Plan> =
        checked.plans.iter().filter(|p| args.selection.wants(p)).cloned().collect();
    let format = match args.format {
        Format::Text => ExplainFormat::Text,
        Format::Markdown => ExplainFormat::Markdown,
        Format::Mermaid => ExplainFormat::Mermaid,
    };
    // The suites of one file are explained together.
    let reported: Vec<String> =
        wanted.chunk_by(|a, b| a.path == b.path).map(|suites| explain(suites, format)).collect();
    say(&reported.join("\n"), ended(checked.has_errors(), reported.is_empty()))
}
