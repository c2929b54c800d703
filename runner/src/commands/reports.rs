//! Reports into files and onto standard output: what `run` and `report` share.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::{
    out::Shown as _,
    out::tell,
    record::RunRecord,
    report::{github, html, json, junit, markdown, tap, terminal},
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
    #[must_use]
    pub fn render(self, record: &RunRecord, root: &Path) -> String {
        match self {
            Self::Text => terminal::render(record, false),
            Self::Markdown => markdown::render(record, markdown::SUMMARY_LIMIT),
            Self::Json => json::render(record),
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
    #[must_use]
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
    /// minutes begins. A file that is there stays as it is.
    ///
    /// # Errors
    /// When a file cannot be written, or two reports would go into one.
    pub fn prepare(&self) -> anyhow::Result<()> {
        let wanted = self.wanted();
        for (at, (path, _)) in wanted.iter().enumerate() {
            if wanted[..at].iter().any(|(other, _)| other == path) {
                anyhow::bail!("two reports cannot be written to one file, {}", path.shown());
            }
            make_parent(path)?;
            let known = path.exists();
            let opened = fs::OpenOptions::new().append(true).create(true).open(path);
            opened.with_context(|| format!("cannot write {}", path.shown()))?;
            if !known {
                // A killed run must not leave an empty report that a reader takes for a good one.
                fs::remove_file(path).with_context(|| format!("cannot write {}", path.shown()))?;
            }
        }
        Ok(())
    }

    /// Writes every file, also when one of them cannot be written.
    ///
    /// # Errors
    /// The first that could not be written.
    pub fn write(&self, record: &RunRecord, root: &Path) -> anyhow::Result<()> {
        let write = |(path, format): (&Path, Format)| write(path, &format.render(record, root));
        let done: Vec<_> = self.wanted().into_iter().map(write).collect();
        done.into_iter().collect()
    }
}

/// Writes a file and the directories that it needs.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    make_parent(path)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.shown()))
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.shown()))
}

/// Reads a run's record, so that reports made from it do not depend on how its directory was named.
///
/// # Errors
/// When there is no run; the error tells what was looked at and what to do.
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
#[must_use]
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
        files.prepare().expect("both can be written");
        assert_eq!(fs::read_to_string(&old).expect("there"), "old");
        assert!(fresh.parent().is_some_and(Path::exists) && !fresh.exists());
        files.json = Some(old);
        assert!(files.prepare().is_err(), "two reports in one file");
        files.json = Some(dir.path().to_owned());
        let error = files.prepare().expect_err("a directory is no file");
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
}
