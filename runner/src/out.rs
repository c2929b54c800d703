//! All that kplan says: the one way to standard output and standard error.
//!
//! Plans, their file names and brokers' logs are other people's text, and a terminal obeys what it reads.
//! So everything that is printed is cleaned here, at the end of its way: [`visible`] shows what would be
//! obeyed or hidden, and only kplan's own colours pass, told apart by a number that nobody outside this
//! process knows. Nothing else in the crate may print (see `clippy.toml`), so no command can forget it.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    sync::LazyLock,
};

use anstyle::Style;
use kplan_dsl::visible::{one_line, visible};

use crate::{exit::Exit, secrets};

/// How kplan's own colours begin until they are printed: a terminal's sequence with a parameter that
/// means nothing, so that whatever takes colours away takes these away too.
static OWN: LazyLock<String> = LazyLock::new(|| format!("\x1b[{};", rand::random::<u64>()));

/// Text in a style. What the text itself holds of such sequences is shown, not obeyed.
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    format!("{}{text}{}", own(&style.render().to_string()), own(&style.render_reset().to_string()))
}

/// Marks all colours in a text as kplan's own. The text must have been cleaned before it was coloured.
#[must_use]
pub fn own(text: &str) -> String {
    text.replace("\x1b[", &OWN)
}

/// What is printed of a text: clean, with kplan's own colours or without any.
#[must_use]
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
#[must_use]
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
#[must_use]
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

/// Prints a result on standard output. A reader that went away (`| head`) has seen enough.
///
/// # Errors
/// When standard output does not take it.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    let text = fit(text, colour(true));
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a command's result; gives back `exit`, or the rig's failure when it could not be written.
pub fn say(text: &str, exit: Exit) -> Exit {
    match print(text) {
        Ok(()) => exit,
        Err(error) => {
            tell_line(&format!("error: {error}"));
            Exit::Rig
        }
    }
}

/// Prints a line on standard error. A terminal that went away is no reason to stop.
pub fn tell_line(line: &str) {
    let line = fit(&secrets::mask(line), colour(false));
    let _ = writeln!(stderr().lock(), "{line}");
}

/// [`tell_line`] with a format.
macro_rules! tell {
    ($($arg:tt)*) => {
        $crate::out::tell_line(&format!($($arg)*))
    };
}
pub(crate) use tell;

/// A path in a sentence: file names are other people's words too.
pub trait Shown {
    /// On one line, with nothing hidden.
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
