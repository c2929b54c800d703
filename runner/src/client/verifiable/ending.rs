//! How programs end.

use nix::sys::signal::Signal;

use crate::client::{
    ClientError,
    program::{EndedBy, PROGRAM_ENDED, ProgramEnd},
};

/// Whether a program ended as one that was sent SIGTERM: a JVM then ends with 143.
pub(super) fn on_request(how: EndedBy) -> bool {
    let term = Signal::SIGTERM as i32;
    [EndedBy::Status(0), EndedBy::Status(128 + term), EndedBy::Signal(term)].contains(&how)
}

/// The last lines of a program that are shown with its end.
const SHOWN_LINES: usize = 3;

/// The error of a program that ended otherwise than it should, with its last lines.
pub(super) fn own_end(what: String, end: &ProgramEnd) -> ClientError {
    let shown = end.last.iter().rev().filter(|line| !line.trim().is_empty()).take(SHOWN_LINES);
    let mut lines: Vec<&str> = shown.map(|line| line.trim()).collect();
    lines.reverse();
    let said = if lines.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last lines: {}", lines.join(" | "))
    };
    ClientError { text: format!("its program {what}; {said}"), code: PROGRAM_ENDED }
}
