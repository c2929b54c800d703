//! `kplan check`: lists every error in plans, without running them.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use clap::{Args, ValueEnum};
use kplan_dsl::{Diagnostic, Options, Severity, Sources, visible};
use serde::Serialize;

use crate::{
    cluster::backend::Setup,
    commands::plans::{self, Selection},
    exit::Exit,
    out::{self, tell},
};

mod finding;
mod github;
mod gitlab;
mod human;
mod json;
mod rdjson;
mod sarif;

pub use sarif::encoded;

/// The output format of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: the lines of the plan, what is wrong, how to correct it.
    Human,
    /// For scripts.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's Code Quality report.
    Gitlab,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// reviewdog's diagnostics.
    Rdjson,
}

/// Arguments of `kplan check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 no errors; 2 errors (with --deny-warnings also warnings); 4 no plan matches.

Examples:
  kplan check plans/
  kplan check plans/ --backend embedded                also report what the simulation cannot do
  kplan check plans/ --format github                   annotations in GitHub Actions
  kplan check plans/ --format gitlab > quality.json    GitLab's Code Quality
  kplan words E012                                     explain a code")]
pub struct CheckArgs {
    /// The plans.
    #[command(flatten)]
    pub selection: Selection,
    /// Output format.
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
    /// Exit with 2 on warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// The result of checking one plan.
pub struct Checked {
    path: PathBuf,
    diagnostics: Vec<Diagnostic>,
    sources: Arc<Sources>,
    /// The origins of values from the command line and the environment: their texts are among the
    /// sources, but are no files.
    notes: Arc<[String]>,
}

impl Checked {
    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity() == Severity::Error).count()
    }

    /// True if this source is a value from the command line or the environment.
    fn is_note(&self, path: &Path) -> bool {
        self.notes.iter().any(|note| Path::new(note) == path)
    }
}

/// Runs the command.
pub fn main(args: &CheckArgs) -> Exit {
    let checked = check(&args.selection);
    if checked.is_empty() {
        tell!("error: no plan matches the paths, tags and filters");
        return Exit::Nothing;
    }
    let text = match args.format {
        Format::Human => {
            // The checker cleaned the text: all colours in it are its own.
            out::own(&human::render(&checked, out::colour(true)))
        }
        Format::Json => json::render(&finding::findings(&checked)),
        Format::Github => github::render(&finding::findings(&checked)),
        Format::Gitlab => gitlab::render(&finding::findings(&checked)),
        Format::Sarif => sarif::render(&finding::findings(&checked)),
        Format::Rdjson => rdjson::render(&finding::findings(&checked)),
    };
    let failed =
        |one: &Checked| one.errors() > 0 || (args.deny_warnings && !one.diagnostics.is_empty());
    out::say(&text, if checked.iter().any(failed) { Exit::Usage } else { Exit::Passed })
}

/// Checks every plan that the selection names. A plan with errors is always included: it has no tags to match.
fn check(selection: &Selection) -> Vec<Checked> {
    let chosen = selection.backend.choose(Setup::default());
    let options = plans::options(selection, &chosen);
    let notes: Arc<[String]> = options.params.iter().map(|p| p.origin.clone()).collect();
    let paths = paths(&selection.paths);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((at, path)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            paths.get(at).map(|path| (at, path))
        } {
            if let Some(one) = check_one(path, selection, &options, &notes) {
                found.lock().unwrap_or_else(PoisonError::into_inner).push((at, one));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(paths.len() / 8);
    std::thread::scope(|scope| {
        for _ in 1..threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    let mut found: Vec<Checked> = found.into_iter().map(|(_, one)| one).collect();
    if let (Some(path), Some((diagnostics, sources))) = (&selection.backend.file, chosen.reported) {
        let path = path.clone();
        found.insert(0, Checked { path, diagnostics, sources, notes: Arc::clone(&notes) });
    }
    tell_once(&mut found);
    found
}

/// A mistake in a fragment, or in a value from the command line or the environment, is reported once,
/// however many plans contain it.
fn tell_once(all: &mut [Checked]) {
    let mut seen = HashSet::new();
    for one in all {
        let sources = Arc::clone(&one.sources);
        one.diagnostics.retain(|d| {
            let file = sources.get(d.span.file).map(|s| s.path().to_owned());
            seen.insert((file, d.span.start, d.span.end, d.code, d.message.clone()))
        });
    }
}

fn check_one(
    path: &Path,
    selection: &Selection,
    options: &Options,
    notes: &Arc<[String]>,
) -> Option<Checked> {
    let checked = kplan_dsl::check_file(path, options);
    let wanted = checked.has_errors() || checked.suites.iter().any(|s| selection.wants(s));
    // Source texts are kept only when a diagnostic shows a part of them.
    let clean = checked.diagnostics.is_empty();
    let sources = if clean { Arc::default() } else { checked.sources };
    wanted.then(|| Checked {
        path: path.to_owned(),
        diagnostics: checked.diagnostics,
        sources,
        notes: Arc::clone(notes),
    })
}

/// The plan files of all paths. A path that cannot be read counts as a plan: the error is then
/// reported with all others.
fn paths(asked: &[PathBuf]) -> Vec<PathBuf> {
    let mut finder = plans::Finder::default();
    let unreadable: Vec<PathBuf> =
        asked.iter().filter(|path| finder.add(path).is_err()).cloned().collect();
    let mut all = finder.finish();
    all.extend(unreadable);
    all.sort();
    all.dedup();
    all
}

fn pretty(value: &impl Serialize) -> String {
    // Maps with string keys, strings and numbers can always be written.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    visible::json(&text).into_owned()
}
