//! `kplan diff`: shows what changed in meaning between two versions of plans.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};
use kplan_dsl::{
    Checked, Options,
    diff::{DiffFormat, FileChange, FileDiff, render_diff},
};

use crate::{
    exit::Exit,
    out::{Shown as _, say, tell},
};

mod git;

/// The output format of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For the terminal.
    Text,
    /// For a comment on a pull request, below 60 kB.
    Markdown,
}

/// Arguments of `kplan diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
A different spelling with the same meaning (a comment, the order of keys, 60s for 1m) is no change. \
A change that makes a plan prove less is marked as weaker.

Exit status: 0 the plans were compared, with or without differences; 2 something cannot be read or checked.

Examples:
  kplan diff old.yaml new.yaml
  kplan diff --git main plans/                        compare main with the working tree
  kplan diff --git v1..v2 --format markdown           compare two revisions, for a pull request")]
pub struct DiffArgs {
    /// Two plans, the older one first; with --git the plans to compare [default: all].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Compare a git revision with the working tree, or two revisions with each other.
    #[arg(long, value_name = "BASE[..HEAD]")]
    git: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn main(args: &DiffArgs) -> Exit {
    match files(args) {
        Ok(files) => {
            let format = match args.format {
                Format::Text => DiffFormat::Text,
                Format::Markdown => DiffFormat::Markdown,
            };
            let broken = files.iter().any(|f| matches!(f.change, FileChange::Broken(_)));
            say(&render_diff(&files, format), if broken { Exit::Usage } else { Exit::Passed })
        }
        Err(error) => {
            tell!("error: {error:#}");
            Exit::Usage
        }
    }
}

fn files(args: &DiffArgs) -> anyhow::Result<Vec<FileDiff>> {
    if let Some(range) = &args.git {
        return git::files(range, &args.paths);
    }
    let [old, new] = args.paths.as_slice() else {
        bail!("give two plans: kplan diff OLD NEW, or a revision: kplan diff --git BASE [PATH...]");
    };
    for path in [old, new] {
        if !path.is_file() {
            bail!("{} is not a file", path.shown());
        }
    }
    let check = |path: &Path| kplan_dsl::check_file(path, &options());
    Ok(vec![compare(new.shown(), Some(&check(old)), Some(&check(new)))])
}

/// Options of the checker: plans are compared even if they were not allowed to run here.
fn options() -> Options {
    Options { allow_run: true, ..Options::default() }
}

/// Compares two versions of a file; a missing version means that the file was added or removed.
fn compare(path: String, old: Option<&Checked>, new: Option<&Checked>) -> FileDiff {
    let broken: Vec<String> = [("before", old), ("now", new)]
        .into_iter()
        .filter_map(|(when, checked)| {
            let checked = checked.filter(|c| c.has_errors())?;
            let errors: Vec<_> = checked
                .diagnostics
                .iter()
                .filter(|d| d.severity() == kplan_dsl::Severity::Error)
                .cloned()
                .collect();
            Some(format!("{when}:\n{}", kplan_dsl::render(&errors, &checked.sources, false)))
        })
        .collect();
    if !broken.is_empty() {
        return FileDiff { path, change: FileChange::Broken(broken.join("\n")) };
    }
    let reported = |checked: &Checked| {
        let suites = checked.suites.len();
        let name = checked.suites.first().map(|p| p.without_secrets(&p.name)).unwrap_or_default();
        let steps = checked.suites.first().map_or(0, |p| p.steps.len());
        format!("\"{name}\", {steps} steps, {suites} combinations of its matrix")
    };
    let change = match (old, new) {
        (Some(old), Some(new)) => {
            FileChange::Changed(kplan_dsl::diff::diff(&old.suites, &new.suites))
        }
        (None, Some(new)) => FileChange::Added(reported(new)),
        (Some(old), None) => FileChange::Removed(reported(old)),
        (None, None) => FileChange::Changed(Vec::new()),
    };
    FileDiff { path, change }
}
