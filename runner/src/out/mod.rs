//! The only way to standard output and standard error.
//!
//! Plans, file names and broker logs are untrusted text, and a terminal executes escape sequences in it. So all
//! printed text is cleaned here, last: [`visible`] makes control characters visible, and only kplan's own
//! colours pass, marked by a random number that no other process knows. Nothing else in the crate may print
//! (see `clippy.toml`), so no command can bypass it.
//!
//! A command that prints and exits waits for its reader, as every Unix tool does. A run does not, from
//! [`never_wait`] on: a terminal stopped with Ctrl-S or a pipe without a reader must delay no step, and a
//! signal must end the run. Each stream then has a thread that writes it.

mod stream;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, ErrorKind, IsTerminal, Write},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    sync::{LazyLock, OnceLock},
};

use anstyle::Style;
use kplan_dsl::visible::{one_line, visible};

pub use self::stream::{Stream, Target, hurry, left_out};
use crate::{exit::Exit, secrets};

/// How kplan's own colours begin until they are printed: a terminal sequence with a meaningless parameter, so that
/// code that strips colours strips these too.
static OWN: LazyLock<String> = LazyLock::new(|| format!("\x1b[{};", rand::random::<u64>()));

/// Text in a style. Escape sequences in the text itself are made visible.
pub fn paint(style: Style, text: &str) -> String {
    format!("{}{text}{}", own(&style.render().to_string()), own(&style.render_reset().to_string()))
}

/// Marks all colours in a text as kplan's own. The text must have been cleaned before it was coloured.
pub fn own(text: &str) -> String {
    text.replace("\x1b[", &OWN)
}

/// The text as it is printed: clean, with kplan's own colours or without colours.
pub fn fit(text: &str, colour: bool) -> String {
    let mut pieces = text.split(OWN.as_str());
    let mut out = visible(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !(c.is_ascii_digit() || c == ';')).unwrap_or(piece.len());
        match piece[end..].strip_prefix('m') {
            Some(rest) => {
                if colour {
                    out.push_str(&format!("\x1b[{}m", &piece[..end]));
                }
                out.push_str(&visible(rest));
            }
            None => out.push_str(&visible(piece)),
        }
    }
    out
}

/// Whether standard output, or else standard error, shows colours.
pub fn colour(output: bool) -> bool {
    match output {
        true => choice(&stdout()),
        false => choice(&stderr()),
    }
}

fn choice(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Whether standard error is a terminal.
pub fn on_terminal() -> bool {
    stderr().is_terminal()
}

#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
fn stderr() -> io::Stderr {
    io::stderr()
}

/// The streams of a command that waits for no reader.
struct Streams {
    output: Stream,
    error: Stream,
}

static STREAMS: OnceLock<Streams> = OnceLock::new();

/// From now on no printing waits for a reader. For commands that listen for signals, which could not end otherwise.
pub fn never_wait() -> io::Result<()> {
    if STREAMS.get().is_some() {
        return Ok(());
    }
    // Unbuffered, and without the standard library's locks: other writers wait for no reader either.
    let (output, error) =
        (stdout().as_fd().try_clone_to_owned()?, stderr().as_fd().try_clone_to_owned()?);
    let stream =
        |fd: OwnedFd| Stream::start(move || Ok(Box::new(std::fs::File::from(fd)) as Target));
    let streams = Streams { output: stream(output)?, error: stream(error)? };
    if STREAMS.set(streams).is_ok() {
        std::panic::set_hook(Box::new(tell_panic));
    }
    Ok(())
}

/// Whether printing does not wait for its reader.
pub fn waits_for_nobody() -> bool {
    STREAMS.get().is_some()
}

/// Prints a panic as any other line: the standard library would wait for the reader.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let mut text = format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("\n{backtrace}"));
    }
    tell_line(&text);
}

/// Writes what still waits for its reader when it is dropped: at the end of the process, however it ends.
pub struct LastWords;

impl Drop for LastWords {
    fn drop(&mut self) {
        if let Some(streams) = STREAMS.get() {
            // The streams are the last place for an error message: their own errors cannot be reported.
            let _ = streams.error.drain();
            let _ = streams.output.drain();
        }
    }
}

/// Prints a result on standard output. A reader that closed the pipe (`| head`) is no error.
///
/// # Errors
/// When standard output cannot be written; `TimedOut` when its reader stopped reading and printing does not wait.
pub fn print(text: &str) -> io::Result<()> {
    let text = fit(text, colour(true));
    let printed = match STREAMS.get() {
        None => {
            let mut out = stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        Some(streams) => {
            // If both streams are one terminal, earlier lines of standard error come first.
            let _ = streams.error.drain();
            streams.output.say(&text);
            streams.output.drain()
        }
    };
    match printed {
        Err(error) if error.kind() == ErrorKind::TimedOut => Err(error),
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a command's result; returns `exit`, or [`Exit::Rig`] if the result could not be written.
pub fn say(text: &str, exit: Exit) -> Exit {
    match print(text) {
        Ok(()) => exit,
        Err(error) => {
            tell_line(&format!("error: {error}"));
            Exit::Rig
        }
    }
}

/// Prints an error on standard error; returns the command's exit status.
pub fn reported(error: &anyhow::Error) -> Exit {
    tell_line(&format!("error: {error:#}"));
    Exit::by_error(error)
}

/// Prints a line on standard error. An error, such as a closed terminal, is ignored.
pub fn tell_line(line: &str) {
    let line = fit(&secrets::mask(line), colour(false));
    match STREAMS.get() {
        Some(streams) => streams.error.say(&format!("{line}\n")),
        None => drop(writeln!(stderr().lock(), "{line}")),
    }
}

/// Like [`tell_line`], for a line that is left out, and counted, while the reader does not read.
pub fn show_line(line: &str) {
    match STREAMS.get() {
        Some(streams) => {
            let line = fit(&secrets::mask(line), colour(false));
            streams.error.say_if_read(&format!("{line}\n"));
        }
        None => tell_line(line),
    }
}

/// Draws on the terminal of standard error: clean text and cursor movements.
pub fn draw(frame: &str) {
    match STREAMS.get() {
        Some(streams) => streams.error.say(frame),
        None => drop(stderr().lock().write_all(frame.as_bytes())),
    }
}

/// Whether the reader has taken everything that was written to standard error.
pub fn is_read() -> bool {
    STREAMS.get().is_none_or(|streams| streams.error.is_read())
}

/// [`tell_line`] with a format.
macro_rules! tell {
    ($($arg:tt)*) => {
        $crate::out::tell_line(&format!($($arg)*))
    };
}
pub(crate) use tell;

/// A path in a message: file names are untrusted text too.
pub trait Shown {
    /// The path on one line, with control characters made visible.
    fn shown(&self) -> String;
}

impl Shown for Path {
    fn shown(&self) -> String {
        one_line(&self.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_colours_pass() {
        let bold = Style::new().bold();
        let hostile = "a\x1b[31mb\x1b[1;mc\u{9b}2J\x1b]0;x\x07\r";
        let text = format!("{}\n{hostile}", paint(bold, hostile));
        let seen = "a\\u{1b}[31mb\\u{1b}[1;mc\\u{9b}2J\\u{1b}]0;x\\u{7}\\u{d}";
        assert_eq!(fit(&text, true), format!("\x1b[1m{seen}\x1b[0m\n{seen}"));
        assert_eq!(fit(&text, false), format!("{seen}\n{seen}"));
    }

    #[test]
    fn a_broken_colour_is_shown() {
        let text = format!("{}31", *OWN);
        assert_eq!(fit(&text, true), "31");
        assert!(!fit(&format!("{}x\x1b[m", *OWN), true).contains('\x1b'));
    }

    #[test]
    fn what_takes_colours_away_takes_own_ones_away() {
        let text = paint(Style::new().bold(), "x");
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), "x");
    }
}
