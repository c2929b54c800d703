//! A program of the plan's author that a client process runs: a service, or a client in another language. It ends
//! with the client process, whatever ends that.

mod command;
mod container;
mod output;

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use indexmap::IndexMap;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use self::{command::CommandProcess, container::ServiceContainer};
pub use self::{
    container::{ContainerSpec, PublishedPort},
    output::LOG_ENDS,
};

/// Time between two looks whether a signal was sent.
const LOOK: Duration = Duration::from_millis(10);

/// The error code of a client whose program does not exist, or cannot be run.
pub const NO_PROGRAM: &str = "NO_PROGRAM";

/// The error code of a client whose program could not be started for a cause in the machine.
pub const NOT_STARTED: &str = "NOT_STARTED";

/// The error code of a client whose program ended by itself.
pub const PROGRAM_ENDED: &str = "PROGRAM_ENDED";

/// What a program is and what it is started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramSpec {
    pub origin: Origin,
    /// Environment variables, in addition to those that it inherits.
    pub env: IndexMap<String, String>,
    /// Its standard input is a pipe, for [`Program::tell`].
    #[serde(default)]
    pub stdin: bool,
}

/// Where a program comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A command of this machine, without a shell.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// Its working directory.
        dir: PathBuf,
    },
    /// A container in the cluster's network.
    Container(ContainerSpec),
}

impl ProgramSpec {
    /// True if it runs as a container in the cluster's network.
    pub fn in_network(&self) -> bool {
        matches!(self.origin, Origin::Container(_))
    }

    /// The port of this machine at which a port of an instance is reached.
    pub fn reached(&self, port: u16, member: u16) -> u16 {
        let Origin::Container(container) = &self.origin else { return port };
        let published = container.ports.iter().find(|p| (p.inside, p.member) == (port, member));
        published.map_or(port, |published| published.host)
    }
}

/// What kind of client a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    Service,
    /// A producer or a consumer that is another program.
    Client,
}

impl std::fmt::Display for ProgramKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Client => "client",
        })
    }
}

/// Where the lines of a program are logged.
pub(crate) struct ProgramLog {
    pub file: File,
    /// True for a line of its standard output that is data: it is passed on and not logged.
    pub is_data: fn(&[u8]) -> bool,
}

/// Whose program it is. Its environment carries both, so that it and all that it starts are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramOwner {
    /// The run's id.
    pub run: String,
    /// The client's name.
    pub service: String,
    pub member: u16,
    pub life: u16,
}

impl ProgramOwner {
    /// The client's member.
    fn instance(&self) -> String {
        format!("{}/{}", self.service, self.member)
    }

    /// What the environment of its program carries.
    fn marks(&self) -> [(&'static str, String); 2] {
        [("KPLAN_RUN", self.run.clone()), ("KPLAN_INSTANCE", self.instance())]
    }
}

/// What a program does, in order; its end comes last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProgramEvent {
    Line(ProgramLine),
    Ended(ProgramEnd),
}

/// A line that a program wrote, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramLine {
    /// When it was read, monotonic microseconds.
    pub at_us: i64,
    /// True for standard error.
    pub error: bool,
    pub bytes: Vec<u8>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramEnd {
    /// When, monotonic microseconds.
    pub at_us: i64,
    pub how: EndedBy,
    /// The last lines of its output.
    pub last: Vec<String>,
}

/// What ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// It ended with an exit status.
    Status(i32),
    /// A signal, by its number.
    Signal(i32),
    /// The kernel, because its container had no memory left.
    OutOfMemory,
    /// Something outside the plan removed its container.
    Removed,
}

impl EndedBy {
    /// Whether the machine ended it, not the program or the plan.
    pub fn is_foreign(self) -> bool {
        self == Self::Removed
    }
}

impl std::fmt::Display for EndedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Self::OutOfMemory => f.write_str("killed because its memory was full"),
            Self::Removed => f.write_str("its container was removed"),
        }
    }
}

/// Why a program could not be started or signalled.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub(crate) struct ProgramError {
    what: String,
    source: io::Error,
    no_program: bool,
}

impl ProgramError {
    /// There is no such program, or it cannot be run.
    fn program(what: &str, source: io::Error) -> Self {
        Self { what: what.to_owned(), source, no_program: true }
    }

    /// The machine lacks something.
    fn machine(what: &str, source: io::Error) -> Self {
        Self { what: what.to_owned(), source, no_program: false }
    }

    /// True if there is no such program, or it cannot be run.
    pub(crate) fn is_no_program(&self) -> bool {
        self.no_program
    }
}

/// A program that was started, and what it does.
pub(crate) struct Program {
    /// Dropped before the program: whoever passes its output on must not wait for a reader then.
    events: Receiver<ProgramEvent>,
    /// What it did while a signal was sent.
    early: VecDeque<ProgramEvent>,
    running: StartedProgram,
}

enum StartedProgram {
    Process(CommandProcess),
    Container(ServiceContainer),
}

impl Program {
    /// Starts a program. Its output goes into `log` and to [`Program::next`]; with `queued` lines that were not asked
    /// for it has to wait. The calling thread must live as long as the program: the kernel kills the program when that
    /// thread ends.
    pub(crate) fn start(
        spec: &ProgramSpec,
        owner: ProgramOwner,
        log: ProgramLog,
        queued: usize,
    ) -> Result<Self, ProgramError> {
        let (sender, events) = sync_channel(queued);
        let running = match &spec.origin {
            Origin::Command { words, dir } => StartedProgram::Process(CommandProcess::start(
                words, dir, spec, owner, log, sender,
            )?),
            Origin::Container(container) => StartedProgram::Container(ServiceContainer::start(
                container, spec, &owner, log, sender,
            )?),
        };
        Ok(Self { events, early: VecDeque::new(), running })
    }

    /// What it did next; waits for that.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<ProgramEvent, RecvTimeoutError> {
        match self.early.pop_front() {
            Some(event) => Ok(event),
            None => self.events.recv_timeout(patience),
        }
    }

    /// Writes a line to its standard input. Nothing happens to a program that has ended.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), ProgramError> {
        let told = match &mut self.running {
            StartedProgram::Process(process) => process.tell(line),
            StartedProgram::Container(container) => container.tell(line),
        };
        match told.map_err(|error| (error.kind(), error)) {
            Ok(()) | Err((ErrorKind::BrokenPipe | ErrorKind::ConnectionReset, _)) => Ok(()),
            Err((_, error)) => {
                Err(ProgramError::machine("cannot write to its standard input", error))
            }
        }
    }

    /// Sends a signal. SIGKILL, SIGSTOP and SIGCONT also reach every process that it started; others are for the
    /// program to pass on. Nothing happens to a program that has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), ProgramError> {
        match &mut self.running {
            StartedProgram::Process(process) => process.signal(signal),
            // The engine answers an order to kill when the container has ended, and that is when its output was read.
            StartedProgram::Container(container) => thread::scope(|scope| {
                let sent = scope.spawn(|| container.signal(signal));
                while !sent.is_finished() {
                    match self.events.recv_timeout(LOOK) {
                        Ok(event) => self.early.push_back(event),
                        Err(RecvTimeoutError::Timeout) => {}
                        // It has ended: nothing is left to read.
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
                sent.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }),
        }
    }
}
