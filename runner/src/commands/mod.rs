//! One file a command.

use std::io::{ErrorKind, Write as _};

use crate::exit::Exit;

pub mod backend;
pub mod check;
pub mod clean;
pub mod compare;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod image;
pub mod init;
pub mod kafka;
pub mod list;
pub mod man;
pub mod plans;
pub mod report;
pub mod reports;
pub mod run;
pub mod schema;
mod shrink;
pub mod words;

/// Prints a command's result on standard output; gives back `exit`, or the rig's failure when the
/// result could not be written. A reader that has seen enough and closed the pipe is no failure.
pub(crate) fn print(text: &str, exit: Exit) -> Exit {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => exit,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit,
        Err(error) => {
            anstream::eprintln!("error: cannot write to standard output: {error}");
            Exit::Rig
        }
    }
}
