//! The process of a service's instance: it runs the program, reports when it is ready, passes orders on, and reports
//! how it ended.

use std::{
    fs::OpenOptions,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use regex::bytes::Regex;

use super::{
    ClientError, http, log,
    program::{
        NO_PROGRAM, NOT_STARTED, PROGRAM_ENDED, Program, ProgramEnd, ProgramError, ProgramEvent,
        ProgramLog,
    },
    protocol::{ClientReport, NO_HISTORY, Order},
    spec::{ReadyWhen, ServiceSpec},
    voice::Voice,
};
use crate::history::now_us;

/// Lines that wait to be looked at; a program that writes faster waits.
const LINES: usize = 1024;
/// Time between two looks at the orders.
const LOOK: Duration = Duration::from_millis(10);
/// A program that has not ended by then has not ended at once.
const AT_ONCE: Duration = Duration::from_millis(250);
/// Time between two requests of a program that is not ready.
const ASK: Duration = Duration::from_millis(100);
/// The limit of such a request.
const ANSWER: Duration = Duration::from_secs(5);
/// Time between two signs of life.
const SIGN: Duration = Duration::from_secs(5);

impl From<ProgramError> for ClientError {
    fn from(error: ProgramError) -> Self {
        let code = if error.is_no_program() { NO_PROGRAM } else { NOT_STARTED };
        Self { text: error.to_string(), code }
    }
}

/// Runs an instance of a service to its end.
pub(super) fn run(
    spec: &ServiceSpec,
    voice: &Voice,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    let path = spec.common.log_path();
    let log = OpenOptions::new().append(true).create(true).open(&path);
    let log = log.map_err(|error| ClientError {
        text: format!("cannot write {}: {error}", path.display()),
        code: NO_HISTORY,
    })?;
    let owner = spec.owner();
    let ready = Ready::new(spec)?;
    let log = ProgramLog { file: log, is_data: |_| false };
    let program = Program::start(&spec.program, owner, log, LINES)?;
    ServiceRun { voice, program, ready, begun: Instant::now(), ended_by_plan: false }.follow(orders)
}

struct ServiceRun<'a> {
    voice: &'a Voice,
    program: Program,
    ready: Ready,
    begun: Instant,
    /// An order ends the program.
    ended_by_plan: bool,
}

impl ServiceRun<'_> {
    fn follow(mut self, orders: &Receiver<Order>) -> Result<ClientReport, ClientError> {
        let mut sign = Instant::now();
        loop {
            match self.program.next(LOOK) {
                Ok(ProgramEvent::Line(line)) => self.ready.line(&line.bytes),
                Ok(ProgramEvent::Ended(end)) => return self.ended(end),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ClientError::new("nothing follows the program".to_owned()));
                }
            }
            if self.ready.is_new(self.begun) {
                let (broker, name) = (-1, "the program".to_owned());
                self.voice.say(ClientReport::Ready { at_us: now_us(), broker, name });
            }
            while let Ok(order) = orders.try_recv() {
                self.carry_out(&order)?;
            }
            if sign.elapsed() >= SIGN {
                sign = Instant::now();
                self.voice.mention(ClientReport::Alive { at_us: now_us() });
            }
        }
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), ClientError> {
        match order {
            // The limit is the runner's: it reports a program that does not end.
            Order::Stop { .. } => {
                self.ended_by_plan = true;
                self.program.signal(Signal::SIGTERM)?;
            }
            Order::Signal { number } => {
                let signal = Signal::try_from(*number);
                let signal = signal.map_err(|error| ClientError::new(error.to_string()))?;
                self.ended_by_plan |= signal == Signal::SIGKILL;
                self.program.signal(signal)?;
                self.voice.say(ClientReport::Signalled { at_us: now_us(), number: *number });
            }
        }
        Ok(())
    }

    /// Reports the end of the program, which is the client's.
    fn ended(self, end: ProgramEnd) -> Result<ClientReport, ClientError> {
        log(&format!("the program ended: {}", end.how));
        let ProgramEnd { at_us, how, last } = end;
        self.voice.say(ClientReport::ProgramEnded { at_us, how, last });
        if self.ended_by_plan {
            return Ok(ClientReport::Ended { at_us, left: 0, unread: Vec::new() });
        }
        Err(ClientError {
            text: format!("the program ended by itself: {how}"),
            code: PROGRAM_ENDED,
        })
    }
}

/// Whether a program is ready, and whether that was reported.
enum Ready {
    Runs,
    Log(Regex),
    /// Set by the thread that sends requests.
    Answers(Arc<AtomicBool>),
    /// A line has matched.
    Now,
    Reported,
}

impl Ready {
    fn new(spec: &ServiceSpec) -> Result<Self, ClientError> {
        match &spec.ready {
            ReadyWhen::Runs => Ok(Self::Runs),
            ReadyWhen::Log(pattern) => {
                let built = Regex::new(pattern);
                built.map(Self::Log).map_err(|error| ClientError::new(error.to_string()))
            }
            ReadyWhen::Http { port, path, status } => {
                let port = spec.program.reached(*port, spec.common.member);
                let answers = Arc::new(AtomicBool::new(false));
                let (path, status, set) = (path.clone(), *status, answers.clone());
                thread::spawn(move || {
                    while !http::get_blocking(port, &path, ANSWER).is_ok_and(|a| a.status == status)
                    {
                        thread::sleep(ASK);
                    }
                    set.store(true, Ordering::Relaxed);
                });
                Ok(Self::Answers(answers))
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        if matches!(self, Self::Log(pattern) if pattern.is_match(line)) {
            *self = Self::Now;
        }
    }

    /// True once: when it has become ready.
    fn is_new(&mut self, begun: Instant) -> bool {
        let is = match self {
            Self::Runs => begun.elapsed() >= AT_ONCE,
            Self::Answers(answers) => answers.load(Ordering::Relaxed),
            Self::Now => true,
            Self::Log(_) | Self::Reported => false,
        };
        if is {
            *self = Self::Reported;
        }
        is
    }
}
