//! Writes reports to files and to standard output, for `run` and `report`.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use kplan_dsl::visible;

use crate::{
    commands::plans,
    exit::refused,
    out::{self, Shown as _, Stream, Target, tell},
    record::RunRecord,
    report::{github, html, json, junit, markdown, tap, terminal},
    rundir::{EVENTS, can_write, make_dir},
};

/// The report files: the same options for every command.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportFiles {
    /// Write JUnit XML to this file.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write the HTML report to this file: one page without external resources.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Write Markdown to this file, for a pull request or "$GITHUB_STEP_SUMMARY".
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Write JSON to this file; its schema is schemas/report.schema.json.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub json: Option<PathBuf>,
}

/// Every format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The report that `kplan run` prints at its end.
    Text,
    /// For pull requests and step summaries.
    Markdown,
    /// For scripts.
    Json,
    /// JUnit XML.
    Junit,
    /// JUnit XML for readers that require the schema of Jenkins' xunit plugin.
    JunitStrict,
    /// TAP version 14.
    Tap,
    /// GitHub's annotations at the lines of the plan.
    Github,
    /// One page without external resources.
    Html,
}

impl Format {
    /// The report in this format. `root` is the directory of the CI job.
    pub fn render(self, record: &RunRecord, root: &Path) -> String {
        match self {
            Self::Text => terminal::render(record, false),
            Self::Markdown => markdown::render(record, markdown::SUMMARY_LIMIT),
            Self::Json => visible::json(&json::render(record)).into_owned(),
            Self::Junit => junit::render(record, root),
            Self::JunitStrict => junit::render_strict(record, root),
            Self::Tap => tap::render(record),
            Self::Github => github::render(record),
            Self::Html => html::render(record),
        }
    }
}

impl ReportFiles {
    /// The files to write, and the format of each.
    pub fn wanted(&self) -> Vec<(&Path, Format)> {
        [
            (&self.junit, Format::Junit),
            (&self.html, Format::Html),
            (&self.markdown, Format::Markdown),
            (&self.json, Format::Json),
        ]
        .into_iter()
        .filter_map(|(path, format)| Some((path.as_deref()?, format)))
        .collect()
    }

    /// Creates the directories and checks that the files can be written, before a run of many
    /// minutes begins. An existing file is not changed. `inputs` are the files that the command reads.
    ///
    /// # Errors
    /// When a file cannot be written, two reports name the same file, or a report would overwrite
    /// a file that is no report: mistakes of the command line.
    pub fn prepare(&self, inputs: &[PathBuf]) -> anyhow::Result<()> {
        let wanted = self.wanted();
        for (at, (path, _)) in wanted.iter().enumerate() {
            if wanted[..at].iter().any(|(other, _)| is_same(other, path)) {
                let path = path.shown();
                return Err(refused(anyhow!(
                    "two reports cannot be written to the same file: {path}"
                )));
            }
            prepare(path, inputs)?;
        }
        Ok(())
    }

    /// Writes every file, also when one of them cannot be written.
    pub fn write(&self, record: &RunRecord, root: &Path) -> anyhow::Result<()> {
        let write = |(path, format): (&Path, Format)| write(path, &format.render(record, root));
        let done: Vec<_> = self.wanted().into_iter().map(write).collect();
        done.into_iter().collect()
    }
}

/// [`ReportFiles::prepare`] for one file.
pub fn prepare(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let fit = || {
        guard(path, inputs)?;
        make_parent(path)?;
        can_write(path)
    };
    fit().map_err(refused)
}

/// Refuses to overwrite a file that the command reads, a plan, or the events of a run.
fn guard(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let why = if inputs.iter().any(|input| is_same(input, path)) {
        "this command reads it"
    } else if path.file_name().is_some_and(|name| name == EVENTS) {
        "this is the name of a run's events"
    } else if path.is_file() && plans::is_written_by_people(path) {
        "it is a plan, a fragment or a backend file"
    } else {
        return Ok(());
    };
    anyhow::bail!("the report would overwrite {}: {why}; name another file", path.shown())
}

/// Whether two paths lead to the same file, also by links, and also before it exists.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = |path: &Path| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    match (file(one), file(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            let place = |path: &Path| {
                let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new("."));
                (
                    parent.canonicalize().unwrap_or_else(|_| parent.to_owned()),
                    path.file_name().map(ToOwned::to_owned),
                )
            };
            place(one) == place(other)
        }
        _ => false,
    }
}

/// Writes a file, and creates the directories that it needs. As in printed text, control characters are made
/// visible.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    make_parent(path)?;
    let text = visible::visible(text);
    let written = if out::waits_for_nobody() && fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        // A FIFO or a device: its reader may never open it, or may stop reading.
        write_patiently(path, &text)
    } else {
        fs::write(path, text.as_bytes())
    };
    written.with_context(|| format!("cannot write {}", path.shown()))
}

/// Writes to a file that is no regular one, for as long as its reader reads.
fn write_patiently(path: &Path, text: &str) -> io::Result<()> {
    let place = path.to_owned();
    let stream = Stream::start(move || Ok(Box::new(fs::File::create(place)?) as Target))?;
    stream.say(text);
    let written = stream.drain();
    stream.close();
    written.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => io::Error::new(ErrorKind::TimedOut, "its reader stopped reading"),
        _ => error,
    })
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) else { return Ok(()) };
    make_dir(parent)
}

/// Reads a run's record, so that reports made from it do not depend on how its directory was named.
pub fn read(dir: &Path) -> anyhow::Result<RunRecord> {
    let resolved = dir.canonicalize().with_context(|| {
        format!("there is no run in {}: `kplan run` writes each run to .kplan/runs", dir.shown())
    })?;
    let record = RunRecord::read(&resolved)?;
    if let Some(newer) = record.newer_kplan() {
        tell!(
            "warning: kplan {newer} wrote this run, and this is kplan {}: the report omits what only the \
             newer version knows",
            env!("CARGO_PKG_VERSION")
        );
    }
    Ok(record)
}

/// The repository's root, so that annotations and attachments find their files; else the working
/// directory.
pub fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_tried_before_a_run_and_left_as_they_are() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let old = dir.path().join("old.xml");
        fs::write(&old, "old").expect("written");
        let fresh = dir.path().join("deep/er/fresh.html");
        let mut files = ReportFiles {
            junit: Some(old.clone()),
            html: Some(fresh.clone()),
            ..Default::default()
        };
        files.prepare(&[]).expect("both can be written");
        assert_eq!(fs::read_to_string(&old).expect("there"), "old");
        assert!(fresh.parent().is_some_and(Path::exists) && !fresh.exists());
        files.json = Some(old);
        assert!(files.prepare(&[]).is_err(), "two reports in one file");
        files.json = Some(dir.path().to_owned());
        let error = files.prepare(&[]).expect_err("a directory is no file");
        assert!(error.to_string().contains("cannot write"), "{error}");
    }

    #[test]
    fn a_report_takes_the_place_of_no_input_and_no_plan() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("temporary directory");
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [
            ("plan.yaml", "# mine\nplan: v1\n"),
            ("part.txt", "fragment: v1\n"),
            ("params", "a: 1\n"),
            ("events.jsonl", "{}\n"),
            ("old.html", "<html>"),
        ] {
            fs::write(at(name), text).expect("written");
        }
        symlink(at("params"), at("link.xml")).expect("a link");
        fs::hard_link(at("params"), at("hard.xml")).expect("a link");
        let inputs = [at("params")];
        for name in ["plan.yaml", "part.txt", "params", "events.jsonl", "link.xml", "hard.xml"] {
            let files = ReportFiles { html: Some(at(name)), ..Default::default() };
            let error = files.prepare(&inputs).expect_err(name).to_string();
            assert!(
                error.contains("the report would overwrite") && error.contains(name),
                "{error}"
            );
        }
        let files = ReportFiles { html: Some(at("old.html")), ..Default::default() };
        files.prepare(&inputs).expect("a report of before");
        let (html, junit) = (Some(at("new")), Some(dir.path().join("./new")));
        assert!(ReportFiles { html, junit, ..Default::default() }.prepare(&[]).is_err());
    }
}
