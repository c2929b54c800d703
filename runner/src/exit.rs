//! Exit statuses, one for each way to end. Documented in the README and in `kplan --help`.

use std::{fmt, process::ExitCode};

/// An argument names something that cannot be read or written: known before anything starts, and a mistake of the
/// command line. Only this error ends with [`Exit::Usage`] instead of [`Exit::Rig`], see [`Exit::by_error`].
#[derive(Debug)]
struct Mistake(anyhow::Error);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Mistake {}

/// An error because of what an argument names.
pub fn refused(error: anyhow::Error) -> anyhow::Error {
    Mistake(error).into()
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Passed,
    /// A plan failed because of Kafka or because of the plan (its expectation, or what it asks for). Has priority
    /// over [`Self::Rig`]: a finding stands even if the rig failed in another suite.
    Failed,
    /// A plan or the command line is wrong.
    Usage,
    /// No plan failed, but the rig did: engine, image, memory, a full disk.
    Rig,
    /// Nothing matched the paths, tags or filters.
    Nothing,
    /// Interrupted by SIGINT (Ctrl-C).
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
    /// The terminal was closed (SIGHUP).
    HungUp,
    /// Ended by SIGQUIT (Ctrl-\).
    Quit,
}

impl Exit {
    /// The exit after a signal of this name.
    pub fn by_signal(name: &str) -> Self {
        match name {
            "SIGTERM" => Self::Terminated,
            "SIGHUP" => Self::HungUp,
            "SIGQUIT" => Self::Quit,
            _ => Self::Interrupted,
        }
    }

    /// The exit after an error: a mistake of the command line, or else a failure of the rig.
    pub fn by_error(error: &anyhow::Error) -> Self {
        if error.is::<Mistake>() { Self::Usage } else { Self::Rig }
    }

    /// The number that the shell sees; signals as 128 + their number.
    pub fn status(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Rig => 3,
            Self::Nothing => 4,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Quit => 131,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
