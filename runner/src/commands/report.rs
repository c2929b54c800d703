//! `kplan report`: makes the reports of a run again, from its directory.

use std::path::PathBuf;

use anyhow::Context as _;
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
A run that was killed has a report too: it shows what was recorded and which step was running.

Exit status: 0 the reports were made, whatever the verdict; 2 there is no run to read, or a report
cannot be written to the named file; 3 writing a report failed later, or printing it.

Examples:
  kplan report                                          print the closing report of the newest run
  kplan report .kplan/runs/20260301-120000-0badcafe --html run.html --junit run.xml
  kplan report --format markdown > summary.md
  kplan report --merge shard-1 shard-2 shard-3 --junit all.xml   one report of a split run")]
pub struct ReportArgs {
    /// The run's directory, or its events.jsonl.
    #[arg(value_name = "RUN_DIR", default_value = ".kplan/latest")]
    pub dir: PathBuf,
    /// Make one report of several runs: the parts of a run that was split with --shard.
    #[arg(long, value_name = "RUN_DIR", num_args = 1.., conflicts_with = "dir")]
    pub merge: Vec<PathBuf>,
    /// Print this format to standard output [default: text, unless a report file is named].
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Report files.
    #[command(flatten)]
    pub files: ReportFiles,
}

/// The files that a report of this run must not overwrite: its plans.
fn inputs(record: &RunRecord) -> Vec<PathBuf> {
    let of_suite = |suite: &SuiteRecord| {
        let sources = suite.info.sources.keys().map(PathBuf::from);
        sources.chain([suite.info.file.clone()]).collect::<Vec<_>>()
    };
    record.suites.iter().flat_map(of_suite).collect()
}

/// The run, or several as one.
fn read(args: &ReportArgs) -> anyhow::Result<RunRecord> {
    if args.merge.is_empty() {
        return reports::read(&args.dir);
    }
    let runs: anyhow::Result<Vec<_>> = args.merge.iter().map(|dir| reports::read(dir)).collect();
    RunRecord::merged(runs?).context("these runs cannot be merged")
}

/// Runs the command.
pub fn main(args: &ReportArgs) -> Exit {
    let record = match read(args) {
        Ok(record) => record,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    if record.killed() && processes::runner_lives(&record.info.run) {
        tell!("the run is still going on: the report shows what it has recorded so far");
    }
    if let Err(error) = args.files.prepare(&inputs(&record)) {
        return out::reported(&error);
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
        Err(error) => out::reported(&error),
    }
}
