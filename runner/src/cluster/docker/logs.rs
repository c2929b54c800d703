//! Copies a container's output to a file, over all its restarts.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bollard::{Docker, query_parameters::LogsOptionsBuilder};
use futures::StreamExt;
use tokio::{task::JoinHandle, time::timeout};

use crate::secrets;

/// How long the engine may take to return the last lines.
const TAIL_LIMIT: Duration = Duration::from_secs(15);

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

/// Starts to append to `path` what the container writes after what was `seen`; ends with this
/// life of the container, or when the file cannot be written.
pub fn follow(docker: Docker, container: String, path: PathBuf, seen: Seen) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut options = std::fs::File::options();
        let mut file = match options.create(true).append(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) => {
                seen.state().trouble = Some(error.to_string());
                return;
            }
        };
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .build();
        let mut passage = Passage::new(seen.state().last.clone());
        let mut lines = docker.logs(&container, Some(options));
        while let Some(Ok(line)) = lines.next().await {
            let bytes = line.into_bytes();
            let (stamp, text) = split(&bytes);
            if !passage.is_new(stamp) {
                continue;
            }
            if let Err(error) = file.write_all(&secrets::mask_bytes(text)) {
                seen.state().trouble = Some(error.to_string());
                return;
            }
            stamp.clone_into(&mut seen.state().last);
        }
    })
}

/// The last lines that a container wrote.
pub async fn tail(docker: &Docker, container: &str, lines: usize) -> String {
    let options =
        LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let mut output = docker.logs(container, Some(options));
    let mut text = String::new();
    let read = async {
        while let Some(Ok(line)) = output.next().await {
            text.push_str(&String::from_utf8_lossy(line.as_ref()));
        }
    };
    // A part of the lines is useful too.
    let _ = timeout(TAIL_LIMIT, read).await;
    text.trim_end().to_owned()
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
