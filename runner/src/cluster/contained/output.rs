//! A container's output in a file, over all its restarts: each line once, without its time stamp.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::secrets;

/// How far a container's output was written, over all its restarts.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<LogFollow>>);

#[derive(Debug, Default)]
struct LogFollow {
    /// The engine's time stamp of the last line written, in nanoseconds.
    last: String,
    /// Why no more output can be written.
    trouble: Option<String>,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, LogFollow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another container, with an output of its own, takes this one's place.
    pub fn forget(&self) {
        self.state().last.clear();
    }

    /// The time stamp of the last line written; empty before the first.
    pub fn last(&self) -> String {
        self.state().last.clone()
    }

    /// Why its file could not be written, if it could not.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }
}

/// Distinguishes new lines from earlier ones, which the engine repeats after a restart. The clock may have been set
/// back in between: a line after the last known one is new whatever its time stamp.
#[derive(Debug)]
struct Passage {
    last: String,
    met: bool,
    beyond: bool,
}

impl Passage {
    fn new(last: String) -> Self {
        Self { beyond: last.is_empty(), met: false, last }
    }

    fn is_new(&mut self, stamp: &str) -> bool {
        let last = self.last.as_str();
        // Stamps have nine digits of a second, always: they compare as text.
        self.beyond |= stamp > last || (self.met && stamp != last);
        self.met |= stamp == last;
        self.beyond
    }
}

/// A file to which lines are appended that were not seen yet.
pub struct OutputFile {
    file: File,
    seen: Seen,
    passage: Passage,
}

impl OutputFile {
    /// Opens the file. None if it cannot be written: then what was `seen` says why.
    pub fn append(path: &Path, seen: Seen) -> Option<Self> {
        match File::options().create(true).append(true).mode(0o600).open(path) {
            Ok(file) => {
                let passage = Passage::new(seen.last());
                Some(Self { file, seen, passage })
            }
            Err(error) => {
                seen.state().trouble = Some(error.to_string());
                None
            }
        }
    }

    /// Takes a line as the engine gives it: its time stamp, a blank, and what was written. A line that was seen is left
    /// out. False if the file can no longer be written: then what was `seen` says why.
    pub fn take(&mut self, line: &[u8]) -> bool {
        let (stamp, text) = split(line);
        if !self.passage.is_new(stamp) {
            return true;
        }
        if let Err(error) = self.file.write_all(&secrets::mask_bytes(text)) {
            self.seen.state().trouble = Some(error.to_string());
            return false;
        }
        stamp.clone_into(&mut self.seen.state().last);
        true
    }
}

/// `STAMP TEXT` into its parts.
fn split(line: &[u8]) -> (&str, &[u8]) {
    let blank = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (stamp, text) = line.split_at(blank);
    (std::str::from_utf8(stamp).unwrap_or_default(), text.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_stamp_off() {
        let (stamp, text) = split(b"2026-05-09T07:00:00.000000001Z a b\n");
        assert_eq!((stamp, text), ("2026-05-09T07:00:00.000000001Z", &b"a b\n"[..]));
        assert_eq!(split(b"alone"), ("alone", &b""[..]));
        assert_eq!(split(b""), ("", &b""[..]));
    }

    fn new_ones<'s>(last: &str, stamps: &[&'s str]) -> Vec<&'s str> {
        let mut passage = Passage::new(last.to_owned());
        stamps.iter().copied().filter(|stamp| passage.is_new(stamp)).collect()
    }

    #[test]
    fn what_was_written_is_not_written_again() {
        assert_eq!(new_ones("", &["1", "2"]), ["1", "2"]);
        assert_eq!(new_ones("2", &["1", "2", "3", "4"]), ["3", "4"]);
        // The parts of one long line share a stamp.
        assert_eq!(new_ones("2", &["1", "2", "2", "3"]), ["3"]);
        assert!(new_ones("2", &["1", "2"]).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_line() {
        assert_eq!(new_ones("5", &["4", "5", "1", "2"]), ["1", "2"]);
        assert_eq!(new_ones("", &["5", "1", "5"]), ["5", "1", "5"], "nor within one life");
        // The engine threw the last known line away.
        assert_eq!(new_ones("5", &["6", "1"]), ["6", "1"]);
    }
}
