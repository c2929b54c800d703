//! A stream with a thread of its own that writes it: the caller never waits for the reader.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The most bytes that wait for the reader; beyond them, lines that may be left out are left out.
const ROOM: usize = 256 << 10;
/// Bytes that are written at once. A slow reader takes some of them now and then; a stopped reader takes none.
const PIECE: usize = 4 << 10;
/// How long the end waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same after a signal, which asks for the end.
const HURRIED: Duration = Duration::from_secs(1);
/// Time between two attempts to write to a full stream that does not block.
const AGAIN: Duration = Duration::from_millis(20);

/// Set by the first signal.
static HURRY: AtomicBool = AtomicBool::new(false);

/// A signal came: the end waits for a reader no longer than [`HURRIED`].
pub fn hurry() {
    HURRY.store(true, Ordering::Release);
}

/// Where a stream is written to; opening it may block too, as for a FIFO.
pub type Target = Box<dyn Write>;

/// A stream, its thread and what waits for its reader.
#[derive(Clone)]
pub struct Stream(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes that wait, with those of the piece that is being written.
    bytes: usize,
    /// All bytes that the reader has taken.
    taken: u64,
    /// Lines that were left out.
    left_out: u64,
    /// The value of `taken` when a wait for the reader was given up.
    given_up: Option<u64>,
    error: Option<io::Error>,
    closed: bool,
}

impl State {
    fn is_read(&self) -> bool {
        self.bytes == 0 && self.left_out == 0
    }
}

impl Stream {
    /// A stream with its thread, which opens it.
    pub fn start(open: impl FnOnce() -> io::Result<Target> + Send + 'static) -> io::Result<Self> {
        let stream = Self(Arc::default());
        let own = stream.clone();
        thread::Builder::new().name("writer".to_owned()).spawn(move || own.serve(open))?;
        Ok(stream)
    }

    /// Queues text that must not be left out. Does not wait.
    pub fn say(&self, text: &str) {
        let mut state = self.lock();
        state.bytes += text.len();
        state.waiting.push_back(text.as_bytes().to_vec());
        self.0.changed.notify_all();
    }

    /// Queues lines, or leaves them out and counts them if too many bytes wait. Does not wait.
    pub fn say_if_read(&self, text: &str) {
        let mut state = self.lock();
        // No line is queued between lines that are left out: one notice counts all of them.
        if state.left_out > 0 || state.bytes > ROOM {
            state.left_out += text.lines().count() as u64;
            return;
        }
        drop(state);
        self.say(text);
    }

    /// Whether the reader has taken all queued text.
    pub fn is_read(&self) -> bool {
        self.lock().is_read()
    }

    /// Waits until the reader has taken all queued text, for as long as it takes some now and then.
    /// Fails with `TimedOut` when the reader stops, else with the error of the write.
    pub fn drain(&self) -> io::Result<()> {
        let mut hurried = None;
        let mut state = self.lock();
        let (mut taken, mut moved) = (state.taken, Instant::now());
        while !state.is_read() {
            if state.given_up == Some(state.taken) {
                return Err(ErrorKind::TimedOut.into());
            }
            if state.taken != taken {
                (taken, moved) = (state.taken, Instant::now());
            }
            if HURRY.load(Ordering::Acquire) {
                hurried.get_or_insert_with(Instant::now);
            }
            let rushed = hurried.is_some_and(|since| since.elapsed() >= HURRIED);
            if rushed || moved.elapsed() >= PATIENCE {
                state.given_up = Some(state.taken);
                continue;
            }
            let changed = self.0.changed.wait_timeout(state, AGAIN);
            state = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.error.take().map_or(Ok(()), Err)
    }

    /// No more text follows: the thread ends when all is written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, open: impl FnOnce() -> io::Result<Target>) {
        let mut target = open();
        while let Some(text) = self.next() {
            let mut rest = text.as_slice();
            let done = match &mut target {
                Ok(target) => self.write(target.as_mut(), &mut rest),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            let mut state = self.lock();
            state.bytes -= rest.len();
            if let Err(error) = done {
                state.error.get_or_insert(error);
            }
            self.0.changed.notify_all();
        }
    }

    /// The next text to write; none when the stream is closed.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if let Some(text) = state.waiting.pop_front() {
                return Some(text);
            }
            if state.left_out > 0 {
                let notice = left_out(std::mem::take(&mut state.left_out));
                state.bytes += notice.len();
                return Some(notice.into_bytes());
            }
            if state.closed {
                return None;
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write(&self, target: &mut dyn Write, rest: &mut &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(PIECE)];
            let written = patiently(|| target.write(piece))?;
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            patiently(|| target.flush())?;
            *rest = &rest[written..];
            let mut state = self.lock();
            state.bytes -= written;
            state.taken += written as u64;
            self.0.changed.notify_all();
        }
        Ok(())
    }
}

/// The notice in place of lines that were left out.
pub fn left_out(lines: u64) -> String {
    let were = if lines == 1 { "line was" } else { "lines were" };
    format!(
        "… {lines} {were} left out here because the output was not read; events.jsonl and the reports have all\n"
    )
}

/// Retries a write while the stream is full: another process may have set the terminal or pipe to non-blocking.
fn patiently<T>(mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match write() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{PipeReader, Read as _, pipe},
        sync::mpsc,
    };

    use super::*;

    fn piped() -> (Stream, PipeReader) {
        let (reader, writer) = pipe().expect("a pipe");
        (Stream::start(|| Ok(Box::new(writer))).expect("a thread"), reader)
    }

    #[test]
    fn nothing_waits_for_a_reader_and_what_is_left_out_is_said_in_its_place() {
        let (stream, mut reader) = piped();
        let line = format!("{}\n", "x".repeat(1_000));
        for _ in 0..2_000 {
            stream.say_if_read(&line);
        }
        assert!(!stream.is_read(), "nobody reads");
        stream.say("the end of the crowd\n");
        let reading = thread::spawn(move || {
            let mut all = String::new();
            reader.read_to_string(&mut all).expect("text");
            all
        });
        stream.drain().expect("it is read now");
        stream.say_if_read("after\n");
        stream.close();
        let all = reading.join().expect("read");
        let shown = all.lines().filter(|l| l.starts_with("xx")).count();
        let lines: Vec<&str> = all.lines().filter(|l| !l.starts_with("xx")).collect();
        let notice = left_out(2_000 - shown as u64);
        assert_eq!(lines, ["the end of the crowd", notice.trim_end(), "after"]);
        assert!((ROOM / 1_001..1_000).contains(&shown), "{shown}");
    }

    #[test]
    fn a_reader_that_goes_away_is_no_wait() {
        let (stream, reader) = piped();
        drop(reader);
        stream.say("to nobody\n");
        assert_eq!(stream.drain().expect_err("closed").kind(), ErrorKind::BrokenPipe);
        stream.say("again\n");
        assert_eq!(stream.drain().expect_err("closed").kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn what_cannot_be_opened_says_so() {
        let stream = Stream::start(|| Err(ErrorKind::NotFound.into())).expect("a thread");
        stream.say("nowhere");
        assert_eq!(stream.drain().expect_err("not there").kind(), ErrorKind::NotFound);
        assert!(stream.is_read());
    }

    /// Full until it is read, as a pipe that another process has set to non-blocking.
    struct Full(mpsc::Receiver<()>, Vec<u8>, mpsc::Sender<Vec<u8>>);

    impl Write for Full {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.try_recv().map_err(|_| io::Error::from(ErrorKind::WouldBlock))?;
            self.1.push(text[0]);
            self.2.send(self.1.clone()).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_that_does_not_block_is_tried_again() {
        let (reads, read) = mpsc::channel();
        let (sender, got) = mpsc::channel();
        let target = Full(read, Vec::new(), sender);
        let stream = Stream::start(|| Ok(Box::new(target))).expect("a thread");
        stream.say("abc");
        for so_far in ["a", "ab", "abc"] {
            reads.send(()).expect("it is written");
            assert_eq!(got.recv().expect("written"), so_far.as_bytes());
        }
        stream.drain().expect("all is written");
    }
}
