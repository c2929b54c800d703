//! Reports into files and onto standard output: what `run` and `report` share.

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

/// Where reports are written: the same words for every command.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportFiles {
    /// Write JUnit XML here.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write the HTML page here: one file that needs nothing else.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Write Markdown here, for a pull request or "$GITHUB_STEP_SUMMARY".
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Write JSON here; its schema is schemas/report.schema.json.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub json: Option<PathBuf>,
}

/// Every form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The closing report of the terminal.
    Text,
    /// For pull requests and step summaries.
    Markdown,
    /// For scripts.
    Json,
    /// JUnit XML.
    Junit,
    /// JUnit XML for readers that hold to the schema of Jenkins' xunit plugin.
    JunitStrict,
    /// TAP version 14.
    Tap,
    /// GitHub's annotations at the plan's lines.
    Github,
    /// One page that needs nothing else.
    Html,
}

impl Format {
    /// The report in this form. `root` is the directory of the CI job.
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
    /// The files that are wanted, and what each holds.
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

    /// Makes the directories and finds out whether the files can be written, before a run of many
    /// minutes begins. A file that is there stays as it is. `inputs` are the files that the command reads.
    ///
    /// # Errors
    /// When a file cannot be written, two reports would go into one, or one would take the place of
    /// something that is no report: the command line's mistakes.
    pub fn prepare(&self, inputs: &[PathBuf]) -> anyhow::Result<()> {
        let wanted = self.wanted();
        for (at, (path, _)) in wanted.iter().enumerate() {
            if wanted[..at].iter().any(|(other, _)| is_same(other, path)) {
                let path = path.shown();
                return Err(refused(anyhow!("two reports cannot be written to one file, {path}")));
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

/// The same for one file.
pub fn prepare(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let fit = || {
        guard(path, inputs)?;
        make_parent(path)?;
        can_write(path)
    };
    fit().map_err(refused)
}

/// Refuses to put a report in the place of what a command reads, of a plan, or of a run's events.
fn guard(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let why = if inputs.iter().any(|input| is_same(input, path)) {
        "this command reads it"
    } else if path.file_name().is_some_and(|name| name == EVENTS) {
        "this is the name of a run's events"
    } else if path.is_file() && plans::is_written_by_people(path) {
        "it is a plan or a part of one"
    } else {
        return Ok(());
    };
    anyhow::bail!("a report is not written over {}: {why}; name another file", path.shown())
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

/// Writes a file and the directories that it needs. Nothing in it is hidden, as in what is printed.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    make_parent(path)?;
    let text = visible::visible(text);
    let written = if out::waits_for_nobody() && fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        // A FIFO or a device, whose reader may not come, or stop to read.
        write_patiently(path, &text)
    } else {
        fs::write(path, text.as_bytes())
    };
    written.with_context(|| format!("cannot write {}", path.shown()))
}

/// Writes what is no regular file, as long as somebody reads it.
fn write_patiently(path: &Path, text: &str) -> io::Result<()> {
    let place = path.to_owned();
    let stream = Stream::start(move || Ok(Box::new(fs::File::create(place)?) as Target))?;
    stream.say(text);
    let written = stream.drain();
    stream.close();
    written.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => io::Error::new(ErrorKind::TimedOut, "nobody reads it to its end"),
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
        format!("there is no run in {}: `kplan run` leaves each run in .kplan/runs", dir.shown())
    })?;
    let record = RunRecord::read(&resolved)?;
    if let Some(newer) = record.newer_kplan() {
        tell!(
            "warning: the run was written by kplan {newer}, newer than this {}: what only that version \
             knows is left out",
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
            assert!(error.contains("not written over") && error.contains(name), "{error}");
        }
        let files = ReportFiles { html: Some(at("old.html")), ..Default::default() };
        files.prepare(&inputs).expect("a report of before");
        let (html, junit) = (Some(at("new")), Some(dir.path().join("./new")));
        assert!(ReportFiles { html, junit, ..Default::default() }.prepare(&[]).is_err());
    }
}
