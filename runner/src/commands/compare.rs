//! `kplan compare`: compares two runs, or the matrix cells of one run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    commands::reports,
    exit::Exit,
    out::{self, tell},
    report::compare::{self, Comparison},
};

/// The output format of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For the terminal.
    Text,
    /// For pull requests.
    Markdown,
    /// One page without external resources.
    Html,
}

/// Arguments of `kplan compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Suites are paired by plan, matrix cell and repetition. With one directory, the matrix cells of each plan are
compared: every further cell with the first.

Exit status: 0 the runs were compared, whatever the result (with --fail-if-worse 1 if a verdict, a
recovery or a count of lost messages got worse); 2 there is no run to read, or the file of --output
cannot be written; 3 writing the result failed later; 4 there is nothing to compare.

Examples:
  kplan compare .kplan/runs/20260301-120000-0badcafe .kplan/latest
  kplan compare .kplan/latest                            compare the matrix cells of one run
  kplan compare main/ branch/ --format markdown -o comment.md")]
pub struct CompareArgs {
    /// Directory of a run: the left side, or the run whose matrix cells are compared.
    #[arg(value_name = "RUN_DIR")]
    pub left: PathBuf,
    /// Directory of another run: the right side.
    #[arg(value_name = "RUN_DIR")]
    pub right: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub format: CompareFormat,
    /// Write the result to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 if a verdict, a recovery or a count of lost messages got worse.
    #[arg(long)]
    pub fail_if_worse: bool,
}

/// Runs the command.
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
        return out::reported(&error);
    }
    let done = match (&args.output, args.format) {
        (Some(path), CompareFormat::Text) => reports::write(path, &out::fit(&text, false)),
        (Some(path), _) => reports::write(path, &text),
        (None, _) => out::print(&text).map_err(Into::into),
    };
    match done {
        Err(error) => out::reported(&error),
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
            "no plan of this run ran in more than one matrix cell: name the directory of a second run"
        }
    }
}
