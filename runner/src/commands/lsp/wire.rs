//! Messages over standard input and output, with a limit for each.

use std::{
    io::{self, BufRead, Read, Write},
    thread,
};

use lsp_server::{Connection, Message};

/// The longest message that is read, in bytes. lsp-server makes room for as many bytes as the header of a message
/// promises, before any of them has come.
const LONGEST: u64 = 64 << 20;
/// The longest header of a message, in bytes.
const LONGEST_HEADER: u64 = 8 << 10;

/// Runs `serve` with a connection over standard input and output. Returns what it returned, and how reading and writing
/// ended.
#[expect(clippy::disallowed_methods, reason = "a protocol's messages are no text for people")]
pub fn over_stdio<T>(serve: impl FnOnce(Connection) -> T) -> (T, io::Result<()>) {
    let (connection, editor) = Connection::memory();
    let Connection { sender: to_server, receiver: from_server } = editor;
    let reader = thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(message) = next(&mut input)? {
            let last = matches!(&message, Message::Notification(news) if news.method == "exit");
            if to_server.send(message).is_err() || last {
                break;
            }
        }
        Ok(())
    });
    let writer = thread::spawn(move || {
        let mut output = io::stdout().lock();
        from_server.iter().try_for_each(|message| message.write(&mut output))?;
        output.flush()
    });
    let ended = serve(connection);
    let joined = |thread: thread::JoinHandle<io::Result<()>>| {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    };
    let read = joined(reader);
    (ended, read.and(joined(writer)))
}

/// The next message; `None` at the end of the input.
fn next(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut text = Vec::new();
    let mut header = input.by_ref().take(LONGEST_HEADER);
    let mut length = 0;
    loop {
        let begin = text.len();
        header.read_until(b'\n', &mut text)?;
        let line = text[begin..].trim_ascii();
        if line.is_empty() {
            break;
        }
        length = promised(line).unwrap_or(length);
    }
    if header.limit() == 0 {
        return Err(refused(format!("a header is longer than {LONGEST_HEADER} bytes")));
    }
    if length > LONGEST {
        return Err(refused(format!("a message of {length} bytes is longer than {LONGEST}")));
    }
    input.by_ref().take(length).read_to_end(&mut text)?;
    Message::read(&mut text.as_slice())
}

/// The length of the message, in the line of its header that says it. A length that is no number is refused by
/// lsp-server.
fn promised(line: &[u8]) -> Option<u64> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let value = value.trim();
    name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap_or(0))
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
