//! The output of a program: its lines, its log file, its last lines.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Sender, SyncSender},
    },
};

use super::{ProgramEnd, ProgramEvent, ProgramLine, ProgramLog};
use crate::{history::now_us, secrets};

/// A longer line is read as several.
const LONGEST_LINE: u64 = 1 << 20;
/// Bytes that are written to the log in one life of a program.
const MOST_LOGGED: u64 = 64 << 20;
/// The last line of a log that is full.
pub const LOG_ENDS: &str = "kplan: the log ends here: the program writes too much";
/// LinePieces that are kept as the last ones, and how much of each.
const LAST_LINES: usize = 20;
const LAST_BYTES: usize = 400;

/// What both streams of a program share.
#[derive(Clone)]
pub(super) struct ProgramOutput {
    shared: Arc<Mutex<OutputParts>>,
    is_data: fn(&[u8]) -> bool,
    events: SyncSender<ProgramEvent>,
}

struct OutputParts {
    log: File,
    /// Bytes that may still be logged.
    room: u64,
    last: VecDeque<String>,
}

impl ProgramOutput {
    pub(super) fn new(log: ProgramLog, events: SyncSender<ProgramEvent>) -> Self {
        let shared = OutputParts { log: log.file, room: MOST_LOGGED, last: VecDeque::new() };
        Self { shared: Arc::new(Mutex::new(shared)), is_data: log.is_data, events }
    }

    fn shared(&self) -> MutexGuard<'_, OutputParts> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a stream to its end; then drops `done`.
    pub(super) fn read(&self, stream: impl Read, error: bool, done: Sender<()>) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.take(std::mem::take(&mut line), error);
        }
        drop(done);
    }

    /// Takes one line in.
    pub(super) fn take(&self, bytes: Vec<u8>, error: bool) {
        let at_us = now_us();
        if error || !(self.is_data)(&bytes) {
            self.shared().keep(&bytes);
        }
        // What nobody listens to any more is logged all the same.
        let _ = self.events.send(ProgramEvent::Line(ProgramLine { at_us, error, bytes }));
    }

    /// The last lines that it wrote.
    pub(super) fn last(&self) -> Vec<String> {
        self.shared().last.iter().cloned().collect()
    }

    /// Reports the end.
    pub(super) fn ended(&self, end: ProgramEnd) {
        // The receiver ends only with this process.
        let _ = self.events.send(ProgramEvent::Ended(end));
    }
}

/// The pieces of a stream as lines.
#[derive(Default)]
pub(super) struct LinePieces(Vec<u8>);

impl LinePieces {
    /// Takes a piece in, and passes every line on that is complete.
    pub(super) fn add(&mut self, piece: &[u8], mut take: impl FnMut(Vec<u8>)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.0.extend_from_slice(part);
            if self.0.last() == Some(&b'\n') {
                self.0.pop();
                take(std::mem::take(&mut self.0));
            } else if self.0.len() as u64 >= LONGEST_LINE {
                take(std::mem::take(&mut self.0));
            }
        }
    }

    /// Passes on what the stream ended with, if that is no whole line.
    pub(super) fn end(&mut self, take: impl FnOnce(Vec<u8>)) {
        if !self.0.is_empty() {
            take(std::mem::take(&mut self.0));
        }
    }
}

impl OutputParts {
    /// Logs a line, and keeps it as the last one.
    fn keep(&mut self, line: &[u8]) {
        self.log(line);
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        let kept = &line[..line.len().min(LAST_BYTES)];
        self.last.push_back(secrets::mask(&String::from_utf8_lossy(kept)).into_owned());
    }

    /// Appends a line to the log. A log that cannot be written is no reason to stop.
    fn log(&mut self, line: &[u8]) {
        if self.room == 0 {
            return;
        }
        let mut line = secrets::mask_bytes(line).into_owned();
        line.push(b'\n');
        self.room = self.room.saturating_sub(line.len() as u64);
        if self.room == 0 {
            line.extend_from_slice(LOG_ENDS.as_bytes());
            line.push(b'\n');
        }
        let _ = self.log.write_all(&line);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, sync_channel};

    use super::*;

    fn read(text: &[u8], room: u64) -> (Vec<Vec<u8>>, Vec<String>, String) {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let (sender, events) = sync_channel(1_000);
        let file = log.reopen().expect("the file");
        let is_data = |line: &[u8]| line.starts_with(b"data");
        let output = ProgramOutput::new(ProgramLog { file, is_data }, sender);
        output.shared().room = room;
        output.read(text, false, channel().0);
        let last = output.last();
        drop(output);
        let lines = events.into_iter().filter_map(|event| match event {
            ProgramEvent::Line(line) => Some(line.bytes),
            ProgramEvent::Ended(_) => None,
        });
        (lines.collect(), last, std::fs::read_to_string(log.path()).expect("the log"))
    }

    #[test]
    fn lines_are_passed_on_and_logged() {
        let (lines, last, log) = read(b"one\n\ntwo\nrest", MOST_LOGGED);
        assert_eq!(lines, [&b"one"[..], b"", b"two", b"rest"]);
        assert_eq!(last, ["one", "", "two", "rest"]);
        assert_eq!(log, "one\n\ntwo\nrest\n");
    }

    #[test]
    fn data_is_passed_on_and_not_logged() {
        let (lines, last, log) = read(b"one\ndata 1\ntwo\n", MOST_LOGGED);
        assert_eq!(lines, [&b"one"[..], b"data 1", b"two"]);
        assert_eq!((last, log.as_str()), (vec!["one".into(), "two".into()], "one\ntwo\n"));
    }

    #[test]
    fn pieces_become_lines() {
        let (mut lines, mut all) = (LinePieces::default(), Vec::new());
        for piece in [&b"a\nb"[..], b"c\n\n", b"d"] {
            lines.add(piece, |line| all.push(line));
        }
        lines.end(|line| all.push(line));
        assert_eq!(all, [&b"a"[..], b"bc", b"", b"d"]);
        lines.end(|_| panic!("nothing is left"));
    }

    #[test]
    fn only_the_last_lines_are_kept_and_no_long_one() {
        let text: String = (0..50).map(|n| format!("{n}{}\n", "x".repeat(1_000))).collect();
        let (lines, last, _) = read(text.as_bytes(), MOST_LOGGED);
        assert_eq!((lines.len(), last.len()), (50, LAST_LINES));
        assert!(last[0].starts_with("30x") && last.iter().all(|line| line.len() == LAST_BYTES));
    }

    #[test]
    fn a_full_log_says_that_it_ends() {
        let (lines, _, log) = read(b"12345\n12345\n12345\n", 10);
        assert_eq!(lines.len(), 3, "they are passed on all the same");
        assert_eq!(log, format!("12345\n12345\n{LOG_ENDS}\n"));
    }
}
