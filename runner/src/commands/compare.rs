//! `kplan compare`: two runs side by side, or the matrix cells of one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    commands::reports,
    exit::Exit,
    out::{self, tell},
    report::compare::{self, Comparison},
};

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For the terminal.
    Text,
    /// For pull requests.
    Markdown,
    /// One page that needs nothing else.
    Html,
}

/// Arguments of `kplan compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Suites are paired by plan, matrix cell and time round. One directory alone sets the cells of each plan
side by side: every further cell beside the first.

Exit status: 0 when they were compared, whatever came out (with --fail-if-worse 1 when a verdict,
recovery or a count of lost messages got worse); 2 when there is no run to read, or nothing can be
written where --output says; 3 when it could not be written after all; 4 when nothing can be compared.

Examples:
  kplan compare .kplan/runs/20260301-120000-0badcafe .kplan/latest
  kplan compare .kplan/latest                            the versions of one run's matrix
  kplan compare main/ branch/ --format markdown -o comment.md")]
pub struct CompareArgs {
    /// A run's directory: the left side, or the run whose cells are compared.
    #[arg(value_name = "RUN_DIR")]
    pub left: PathBuf,
    /// Another run's directory: the right side.
    #[arg(value_name = "RUN_DIR")]
    pub right: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    pub format: CompareFormat,
    /// Write it here, not to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 when something got worse.
    #[arg(long)]
    pub fail_if_worse: bool,
}

/// Does it.
pub fn main(args: &CompareArgs) -> Exit {
    let comparison = match comparison(args) {
        Ok(comparison) => comparison,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    if comparison.pairs.is_empty() {
        tell!("error: {}", nothing(args));
        return Exit::Nothing;
    }
    let text = match args.format {
        CompareFormat::Text => compare::text(&comparison),
        CompareFormat::Markdown => compare::markdown(&comparison),
        CompareFormat::Html => compare::html(&comparison),
    };
    if let Some(Err(error)) = args.output.as_deref().map(|path| reports::prepare(path, &[])) {
        return out::told(&error);
    }
    let done = match (&args.output, args.format) {
        (Some(path), CompareFormat::Text) => reports::write(path, &out::fit(&text, false)),
        (Some(path), _) => reports::write(path, &text),
        (None, _) => out::print(&text).map_err(Into::into),
    };
    match done {
        Err(error) => out::told(&error),
        Ok(()) if args.fail_if_worse && comparison.worse() => Exit::Failed,
        Ok(()) => Exit::Passed,
    }
}

fn comparison(args: &CompareArgs) -> anyhow::Result<Comparison> {
    let left = reports::read(&args.left)?;
    Ok(match &args.right {
        Some(right) => Comparison::of_runs(&left, &reports::read(right)?),
        None => Comparison::of_cells(&left),
    })
}

fn nothing(args: &CompareArgs) -> &'static str {
    match args.right {
        Some(_) => "the two runs have no plan in common",
        None => {
            "no plan of this run was carried out in more than one matrix cell: name a second run's \
             directory"
        }
    }
}
