//! A program that runs: what it prints goes to what keeps it, and the runner's orders to the program.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use indexmap::IndexMap;
use kplan_dsl::value::ClientProgram;
use nix::sys::signal::Signal;

use super::{
    Broken, Keeper,
    ending::{on_request, own_end},
    event, flags, security,
};
use crate::{
    client::{
        ClientError,
        program::{
            EndedBy, Origin, Program, ProgramEnd, ProgramEvent, ProgramLine, ProgramLog,
            ProgramOwner, ProgramSpec,
        },
        protocol::{ClientReport, NO_HISTORY, Order, PROTOCOL_BROKEN, Position},
        spec::{Common, ProgramPlace},
        voice::Voice,
    },
    history::now_us,
};

/// The longest wait for a line, so that an order is answered soon.
const PATIENCE: Duration = Duration::from_millis(20);
/// The most lines of one turn, so that orders get their turn.
const AT_ONCE: usize = 4_096;
/// Lines that were read and not yet taken in; with more the program has to wait.
const QUEUED: usize = 16_384;
/// How long the rest of the output is waited for after the end of the program.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Where a container has the file with its settings.
const SETTINGS: &str = "/kplan-client.properties";
/// What tells a program on its standard input to end.
const STOP: &str = r#"{"stop": true}"#;
/// How often the process reports that it lives.
const ALIVE_US: i64 = 5_000_000;

/// What the runner ordered.
enum Ordered {
    Nothing,
    /// To read to these ends, until a time.
    Stop {
        ends: Vec<Position>,
        until_us: i64,
    },
    /// Told to end, until a time, with what it had not read.
    Ending {
        unread: Vec<(Position, u64)>,
        until_us: i64,
    },
    Killed,
}

/// A program that runs.
pub(super) struct Adapter<'a> {
    program: Program,
    /// A line on its standard input ends it, and not SIGTERM.
    stdin: bool,
    voice: &'a Voice,
    ordered: Ordered,
    alive_us: i64,
}

impl<'a> Adapter<'a> {
    pub(super) fn start(
        common: &Common,
        (program, place): (&ClientProgram, &ProgramPlace),
        mut words: Vec<String>,
        (flag, settings): (&str, &IndexMap<String, String>),
        voice: &'a Voice,
    ) -> Result<Self, ClientError> {
        let mut all = security::settings(&common.config, place.container.is_some());
        all.extend(settings.clone());
        let file = flags::write(common, &all)
            .map_err(|e| ClientError::new(format!("its settings cannot be written: {e}")))?;
        let env = program.env.iter().cloned().collect();
        let origin = match &place.container {
            Some(container) => {
                let mut container = container.clone();
                if let Some(authority) = common.config.get("ssl.ca.location") {
                    container.files.insert(security::AUTHORITY.to_owned(), authority.into());
                }
                if let Some(file) = file {
                    words.extend([flag.to_owned(), SETTINGS.to_owned()]);
                    container.files.insert(SETTINGS.to_owned(), file);
                }
                container.command = Some(words);
                Origin::Container(container)
            }
            None => {
                let file = file.map(|file| [flag.to_owned(), file.display().to_string()]);
                words.extend(file.into_iter().flatten());
                let dir = std::env::current_dir()
                    .map_err(|e| ClientError::new(format!("the working directory: {e}")))?;
                Origin::Command { words, dir }
            }
        };
        let spec = ProgramSpec { origin, env, stdin: program.stdin };
        let (run, service) = (common.run.clone(), common.name.clone());
        let owner = ProgramOwner { run, service, member: common.member, life: common.life };
        let log = std::fs::OpenOptions::new().append(true).create(true).open(common.log_path());
        let log =
            log.map_err(|e| ClientError { text: format!("its log: {e}"), code: NO_HISTORY })?;
        let log = ProgramLog { file: log, is_data: event::is_message };
        let program = Program::start(&spec, owner, log, QUEUED)?;
        let stdin = spec.stdin;
        Ok(Self { program, stdin, voice, ordered: Ordered::Nothing, alive_us: 0 })
    }

    /// Takes in what the program prints until it has ended; reports what it left.
    pub(super) fn follow(
        mut self,
        book: &mut impl Keeper,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        let end = loop {
            let next = |patience| self.program.next(patience);
            if let Some(end) = turn(next, |l| take(book, &l.bytes, l.at_us))? {
                break end;
            }
            let now = now_us();
            self.live(book, now);
            if let Ok(order) = orders.try_recv() {
                self.hear(order, now)?;
            }
            self.go_on(book, now)?;
        };
        self.rest(book)?;
        book.report(now_us(), true);
        book.close(matches!(self.ordered, Ordered::Ending { .. }))?;
        if let Some(text) = book.wrong_sums() {
            self.voice.complain(PROTOCOL_BROKEN, 0, &text, false);
        }
        self.ended(book, &end, orders)
    }

    /// Takes in the lines that come after the end: what it had written and was not yet read.
    fn rest(&mut self, book: &mut impl Keeper) -> Result<(), ClientError> {
        while let Ok(event) = self.program.next(LAST_LINES) {
            if let ProgramEvent::Line(line) = event
                && !line.error
            {
                take(book, &line.bytes, line.at_us)?;
            }
        }
        Ok(())
    }

    fn live(&mut self, book: &mut impl Keeper, now: i64) {
        book.report(now, false);
        if now - self.alive_us >= ALIVE_US {
            self.alive_us = now;
            self.voice.mention(ClientReport::Alive { at_us: now });
        }
    }

    fn hear(&mut self, order: Order, now: i64) -> Result<(), ClientError> {
        match order {
            Order::Stop { ends, limit_ms } => {
                let limit_us = i64::try_from(limit_ms).unwrap_or(i64::MAX / 1000) * 1000;
                let until_us = now.saturating_add(limit_us);
                self.ordered = Ordered::Stop { ends, until_us };
                Ok(())
            }
            Order::Signal { number } => {
                let signal = Signal::try_from(number);
                let signal = signal.map_err(|error| ClientError::new(error.to_string()))?;
                if signal == Signal::SIGKILL {
                    self.ordered = Ordered::Killed;
                }
                self.program.signal(signal)?;
                self.voice.say(ClientReport::Signalled { at_us: now_us(), number });
                Ok(())
            }
        }
    }

    /// Ends the program when it has read what it had to read, or when its time is up.
    fn go_on(&mut self, book: &impl Keeper, now: i64) -> Result<(), ClientError> {
        match &self.ordered {
            Ordered::Stop { ends, until_us } => {
                let (unread, until_us) = (book.unread(ends), *until_us);
                let over = now >= until_us;
                if over || unread.as_ref().is_some_and(Vec::is_empty) {
                    self.ordered = Ordered::Ending { unread: unread.unwrap_or_default(), until_us };
                    match self.stdin {
                        true => self.program.tell(STOP)?,
                        false => self.program.signal(Signal::SIGTERM)?,
                    }
                }
            }
            Ordered::Ending { until_us, unread } if unread.is_empty() && now >= *until_us => {
                let (order, open) = (self.order(), book.unanswered());
                let text = format!(
                    "its program did not end on {order}, with {open} messages without an outcome"
                );
                return Err(ClientError { text, code: PROTOCOL_BROKEN });
            }
            _ => {}
        }
        Ok(())
    }

    fn ended(
        self,
        book: &impl Keeper,
        end: &ProgramEnd,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        let ProgramEnd { at_us, how, last } = end;
        let (at_us, how, last) = (*at_us, *how, last.clone());
        self.voice.say(ClientReport::ProgramEnded { at_us, how, last });
        let order = self.order();
        let report = |left, unread: Vec<(Position, u64)>| {
            let unread = unread.into_iter().map(|(position, _)| position).collect();
            ClientReport::Ended { at_us: now_us(), left, unread }
        };
        match self.ordered {
            Ordered::Killed => Ok(report(0, Vec::new())),
            Ordered::Ending { unread, .. } if book.ended() && on_request(how) => {
                let unseen: u64 = unread.iter().map(|(_, missing)| *missing).sum();
                Ok(report(unseen + book.unanswered(), unread))
            }
            Ordered::Ending { .. } => {
                let what = format!("ended on {order} without `shutdown_complete` ({how})");
                Err(ClientError { code: PROTOCOL_BROKEN, ..own_end(what, end) })
            }
            _ if book.finished() && how == EndedBy::Status(0) => {
                self.voice.say(ClientReport::Finished { at_us: now_us() });
                self.wait(orders);
                Ok(report(0, Vec::new()))
            }
            _ => Err(own_end(format!("ended by itself ({how})"), end)),
        }
    }

    /// What tells it to end.
    fn order(&self) -> &'static str {
        if self.stdin { STOP } else { "SIGTERM" }
    }

    /// Waits for the order to end.
    fn wait(mut self, orders: &Receiver<Order>) {
        while let Err(RecvTimeoutError::Timeout) = orders.recv_timeout(Duration::from_secs(1)) {
            let now = now_us();
            if now - self.alive_us >= ALIVE_US {
                self.alive_us = now;
                self.voice.mention(ClientReport::Alive { at_us: now });
            }
        }
    }
}

/// Takes in the lines of standard output that are there, at most [`AT_ONCE`]; waits a short time for the first.
/// Returns the program's end.
fn turn(
    mut next: impl FnMut(Duration) -> Result<ProgramEvent, RecvTimeoutError>,
    mut take: impl FnMut(ProgramLine) -> Result<(), ClientError>,
) -> Result<Option<ProgramEnd>, ClientError> {
    let mut patience = PATIENCE;
    for _ in 0..AT_ONCE {
        match next(patience) {
            Ok(ProgramEvent::Line(line)) if line.error => {}
            Ok(ProgramEvent::Line(line)) => take(line)?,
            Ok(ProgramEvent::Ended(end)) => return Ok(Some(end)),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(ClientError::new("the end of its program was not reported".into()));
            }
        }
        patience = Duration::ZERO;
    }
    Ok(None)
}

fn take(book: &mut impl Keeper, line: &[u8], at_us: i64) -> Result<(), ClientError> {
    match event::read(line) {
        Ok(Some(event)) => Ok(book.take(event, at_us)?),
        Ok(None) => Ok(()),
        Err(bad) => Err(Broken::rule(bad.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn every_line_is_taken_in_also_when_there_are_more_than_a_turn_takes() {
        let (sender, events) = sync_channel(QUEUED);
        let lines = 2 * AT_ONCE + 2;
        for number in 0..lines {
            let bytes = number.to_string().into_bytes();
            let line = ProgramLine { at_us: 0, error: false, bytes };
            sender.send(ProgramEvent::Line(line)).expect("there is room");
        }
        let end = ProgramEnd { at_us: 0, how: EndedBy::Status(0), last: Vec::new() };
        sender.send(ProgramEvent::Ended(end.clone())).expect("there is room");
        let (mut taken, mut turns) = (Vec::new(), 0);
        let ended = loop {
            turns += 1;
            let next = |patience| events.recv_timeout(patience);
            let end = turn(next, |line| {
                taken.push(String::from_utf8(line.bytes).expect("text"));
                Ok(())
            });
            if let Some(end) = end.expect("nothing is wrong") {
                break end;
            }
        };
        let all: Vec<String> = (0..lines).map(|number| number.to_string()).collect();
        assert_eq!((ended, taken), (end, all));
        assert_eq!(turns, 3, "orders get their turn");
    }
}
