//! `kplan report`: every report again, from a run's directory.

use std::path::PathBuf;

use clap::Args;

use crate::{
    commands::reports::{self, Format, ReportFiles},
    exit::Exit,
    out::{self, tell},
    processes,
    record::{RunRecord, SuiteRecord},
};

/// Arguments of `kplan report`.
#[derive(Debug, Args)]
#[command(after_help = "\
A run that was killed has a report too: what was known, and which step it was in.

Exit status: 0 when the reports were made, whatever they say; 2 when there is no run to read, or
a report cannot be written where the command line says; 3 when one could not be written after all.

Examples:
  kplan report                                          the newest run, as it was told at its end
  kplan report .kplan/runs/20260301-120000-0badcafe --html run.html --junit run.xml
  kplan report --format markdown > summary.md")]
pub struct ReportArgs {
    /// The run's directory, or its events.jsonl.
    #[arg(value_name = "RUN_DIR", default_value = ".kplan/latest")]
    pub dir: PathBuf,
    /// Print this form to standard output [default: text, unless a file is asked for].
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Files.
    #[command(flatten)]
    pub files: ReportFiles,
}

/// What a report of this run must not take the place of: its plans.
fn inputs(record: &RunRecord) -> Vec<PathBuf> {
    let of_suite = |suite: &SuiteRecord| {
        let sources = suite.info.sources.keys().map(PathBuf::from);
        sources.chain([suite.info.file.clone()]).collect::<Vec<_>>()
    };
    record.suites.iter().flat_map(of_suite).collect()
}

/// Does it.
pub fn main(args: &ReportArgs) -> Exit {
    let record = match reports::read(&args.dir) {
        Ok(record) => record,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    if record.killed() && processes::runner_lives(&record.info.run) {
        tell!("the run still goes on: this is what is known of it by now");
    }
    if let Err(error) = args.files.prepare(&inputs(&record)) {
        return out::told(&error);
    }
    let root = reports::root();
    let wanted = args.files.wanted();
    let format = match args.format {
        None if wanted.is_empty() => Some(Format::Text),
        format => format,
    };
    let printed = match format {
        Some(format) => out::print(&format.render(&record, &root)).map_err(Into::into),
        None => Ok(()),
    };
    match args.files.write(&record, &root).and(printed) {
        Ok(()) => Exit::Passed,
        Err(error) => out::told(&error),
    }
}
