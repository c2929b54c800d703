//! `events.jsonl`: written with one line for each event, and readable even if its writer was killed.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
};
use serde_json::Value;

use crate::{event::Stamped, out::Shown as _, rundir::EVENTS};

/// The longest line that is read; events are far below it (a plan's text is their largest part).
const MAX_LINE: u64 = 64 << 20;
/// The most bytes of a first line that are read to recognize it.
const MAX_HEAD: u64 = 64 << 10;

/// Disk space is reserved in steps of this size, in advance: when the disk is full, there is still space for the end
/// of the run.
const ROOM: u64 = 1 << 20;
/// The part of the reserved space that is kept for the end.
const LAST_WORDS: u64 = 256 << 10;

/// The events of a run could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Writing failed (a full disk).
    #[error("cannot write the run's events to {path}: {source}", path = path.shown())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The only space left is that for the end of the run.
    #[error("no space is left for the run's events in {path}: {source}", path = path.shown())]
    Full {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory or the file could not be made.
    #[error("cannot create {path}: {source}", path = path.shown())]
    Create {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read {path}: {source}", path = path.shown())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory is not that of a run.
    #[error("{path} is not the directory of a run: there is no {EVENTS} in it", path = path.shown())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// No run in it.
    #[error("{path} does not contain the beginning of a run: {why}", path = path.shown())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it contains instead.
        why: String,
    },
}

/// The writer of a run's `events.jsonl`.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    path: PathBuf,
    torn: bool,
    length: u64,
    /// Up to here the disk has given its space; none where it gives none ahead.
    taken: Option<u64>,
}

impl EventLog {
    /// Creates `events.jsonl` (0600) in a run's directory, which is created (0700) if it does not exist.
    pub fn create(dir: &Path) -> Result<Self, LogError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| LogError::Create { path: dir.to_owned(), source })?;
        let path = dir.join(EVENTS);
        Self::with(OpenOptions::new().create_new(true).mode(0o600), path)
    }

    /// Continues an events file that exists.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Self::with(&mut OpenOptions::new(), path.to_owned())
    }

    fn with(how: &mut OpenOptions, path: PathBuf) -> Result<Self, LogError> {
        match how.append(true).open(&path) {
            Ok(file) => {
                let length = file.metadata().map_or(0, |m| m.len());
                Ok(Self { file, path, torn: false, length, taken: Some(length) })
            }
            Err(source) => Err(LogError::Create { path, source }),
        }
    }

    /// Appends one event as one line, in one write: a killed run loses at most its last line.
    pub fn append(&mut self, event: &Stamped) -> Result<(), LogError> {
        let wrong = |source| LogError::Write { path: self.path.clone(), source };
        let mut line = Vec::with_capacity(256);
        if self.torn {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, event).map_err(|e| wrong(e.into()))?;
        line.push(b'\n');
        let room = self.room(line.len() as u64);
        let written = self.file.write_all(&line);
        self.torn = written.is_err();
        self.length += line.len() as u64;
        written.map_err(|source| LogError::Write { path: self.path.clone(), source })?;
        room.map_err(|source| LogError::Full { path: self.path.clone(), source })
    }

    /// Reserves disk space in advance.
    fn room(&mut self, more: u64) -> io::Result<()> {
        let Some(taken) = self.taken else { return Ok(()) };
        if self.length + more + LAST_WORDS <= taken {
            return Ok(());
        }
        let (offset, bytes) = (taken.cast_signed(), (more + ROOM).cast_signed());
        let given = fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, bytes);
        // Tried once: after a refusal, the space reserved before is for the end.
        self.taken = given.is_ok().then_some(taken + more + ROOM);
        match given {
            Err(full @ (Errno::ENOSPC | Errno::EDQUOT)) => Err(full.into()),
            // On a file system that cannot reserve space, a full disk is noticed when it is full.
            _ => Ok(()),
        }
    }
}

impl Drop for EventLog {
    /// Frees reserved space that was not used; a failure costs disk space only.
    fn drop(&mut self) {
        if let Ok(meta) = self.file.metadata() {
            let _ = self.file.set_len(meta.len());
        }
    }
}

/// The content of an events file.
#[derive(Debug, Default)]
pub struct Read {
    /// The events in the order they were written.
    pub events: Vec<Stamped>,
    /// Lines that are no event: cut off by a kill or a full disk, or of a newer kplan.
    pub damaged_lines: u64,
}

/// Describes an events file without the beginning of a run.
pub(super) fn why_empty(path: &Path, read: &Read) -> String {
    let first = File::open(path).and_then(|file| {
        let mut first = Vec::new();
        BufReader::new(file).take(MAX_HEAD).read_until(b'\n', &mut first)?;
        Ok(first)
    });
    let first: Option<Value> = first.ok().and_then(|line| serde_json::from_slice(&line).ok());
    let version = first.as_ref().and_then(|event| event.get("kplan")?.as_str());
    if let Some(newer) = version.filter(|v| is_newer(v)) {
        let this = env!("CARGO_PKG_VERSION");
        return format!("kplan {newer} wrote it, and this is kplan {this}");
    }
    match (read.events.len(), read.damaged_lines) {
        (0, 0) => "it is empty: the run was killed before its first event".to_owned(),
        (0, lines) => {
            format!("none of its {lines} lines is an event: it is damaged or another kind of file")
        }
        (events, _) => {
            format!("its first line is missing or damaged ({events} other events are readable)")
        }
    }
}

/// Whether a version is newer than this program's.
pub(super) fn is_newer(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        let plain = text.split(['-', '+']).next().unwrap_or_default();
        plain.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    numbers(version) > numbers(env!("CARGO_PKG_VERSION"))
}

/// Reads the events of a run that may have been killed, or may still be running.
pub fn read_events(path: &Path) -> Result<Read, LogError> {
    let wrong = |source| LogError::Read { path: path.to_owned(), source };
    if !path.metadata().map_err(wrong)?.is_file() {
        return Err(wrong(io::Error::other("it is not a regular file")));
    }
    let mut reader = BufReader::new(File::open(path).map_err(wrong)?);
    let mut read = Read::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(wrong)?;
        if taken == 0 {
            return Ok(read);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(event) => read.events.push(event),
            Err(_) => read.damaged_lines += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_newer;

    #[test]
    fn newer_is_newer_by_its_numbers() {
        let this = env!("CARGO_PKG_VERSION");
        assert!(is_newer("999.0.0") && is_newer("999.0.0-beta.1"));
        assert!(!is_newer(this) && !is_newer("0.0.1") && !is_newer("what?"));
    }
}
