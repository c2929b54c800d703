//! A program of the plan's author that a client process runs: a service, or a client in another language. It ends
//! with the client process, whatever ends that.

mod command;
mod container;
mod output;

use std::{fs::File, io, path::PathBuf, sync::mpsc::SyncSender};

use indexmap::IndexMap;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use self::{command::CommandProcess, container::ServiceContainer};
pub use self::{
    container::{ContainerSpec, PublishedPort},
    output::LOG_ENDS,
};

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

/// A program that was started.
pub(crate) enum Program {
    Process(CommandProcess),
    Container(ServiceContainer),
}

impl Program {
    /// Starts a program. Its output goes to `events` and into `log`; a receiver that reads slowly slows it down.
    /// The calling thread must live as long as the program: the kernel kills the program when that thread ends.
    pub(crate) fn start(
        spec: &ProgramSpec,
        owner: ProgramOwner,
        log: ProgramLog,
        events: SyncSender<ProgramEvent>,
    ) -> Result<Self, ProgramError> {
        match &spec.origin {
            Origin::Command { words, dir } => {
                CommandProcess::start(words, dir, &spec.env, owner, log, events).map(Self::Process)
            }
            Origin::Container(container) => {
                ServiceContainer::start(container, &spec.env, &owner, log, events)
                    .map(Self::Container)
            }
        }
    }

    /// Sends a signal. SIGKILL, SIGSTOP and SIGCONT also reach every process that it started; others are for the
    /// program to pass on. Nothing happens to a program that has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), ProgramError> {
        match self {
            Self::Process(process) => process.signal(signal),
            Self::Container(container) => container.signal(signal),
        }
    }
}
