//! What a backend can do, and what words need.

use std::collections::BTreeSet;

use crate::source::Span;

macro_rules! capabilities {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Something that not every backend can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Capability { $($(#[doc = $doc])+ $name,)+ }

        impl Capability {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What it is, after "cannot".
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

capabilities! {
    /// End a broker's process without warning.
    Kill = "kill brokers",
    /// Shut a broker down gracefully.
    Stop = "stop brokers gracefully",
    /// Start a broker that is down.
    Start = "start brokers",
    /// Freeze a broker's process.
    Pause = "pause brokers",
    /// Start a broker with an empty disk.
    WipeDisk = "wipe a broker's disk",
    /// Drop packets between brokers.
    NetworkPartition = "partition the network",
    /// Make the network slow or lossy.
    NetworkDegradation = "degrade the network",
    /// Fill a broker's disk.
    FullDisk = "fill a broker's disk",
    /// Tell and change in-sync sets.
    InSyncSets = "show in-sync replicas",
    /// Look into the socket table of a broker's host.
    Listeners = "show listeners",
    /// Read the brokers' own logs.
    BrokerLogs = "read the brokers' logs",
    /// Read what lies on the brokers' disks.
    Disks = "read the brokers' disks",
    /// Lose what was seen before, as real logs do when they are cut back.
    Truncation = "truncate a log",
    /// Choose how brokers are set up.
    BrokerSettings = "set broker settings",
    /// Choose settings of topics.
    TopicSettings = "set topic settings",
    /// Delete and change topics.
    ChangeTopics = "delete or change topics",
    /// Elect leaders on demand.
    Elections = "elect leaders on demand",
    /// Move replicas.
    Reassignment = "move replicas",
    /// Choose the image of a container.
    Images = "use another container image",
    /// Users, passwords, certificates.
    Security = "use authentication or encryption",
    /// ZooKeeper, or controllers of their own.
    OwnControllers = "run ZooKeeper or dedicated controllers",
    /// Transactions, with what aborts leave behind.
    Transactions = "show transactions",
    /// States of consumer groups.
    GroupStates = "show the states of consumer groups",
    /// Run another version on the same data.
    Upgrade = "change a broker's version",
    /// Hold as many messages as a producer without limits sends.
    LargeLogs = "hold more than 100,000 messages or 5 MiB in a partition",
}

/// Something that a word needs of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What is needed.
    pub capability: Capability,
    /// The argument that needs it, if it is not the word itself.
    pub span: Option<Span>,
}

impl Need {
    /// The word itself needs it.
    pub const fn word(capability: Capability) -> Self {
        Self { capability, span: None }
    }

    /// An argument needs it.
    pub const fn argument(capability: Capability, span: Span) -> Self {
        Self { capability, span: Some(span) }
    }
}

/// The backend that a plan is checked for: what it is called, what it can do, and what helps where it cannot.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// How the command line writes it.
    pub backend: &'static str,
    /// What it can do.
    pub can: BTreeSet<Capability>,
    /// The cluster was there before the plan and stays after it.
    pub borrowed: bool,
    /// What the user can do about something that it cannot do; empty where nothing helps.
    pub advice: fn(Capability) -> &'static str,
}

impl Abilities {
    /// Of a backend that can do everything but this.
    pub fn without(backend: &'static str, lacks: &[Capability]) -> Self {
        let can = Capability::ALL.iter().copied().filter(|can| !lacks.contains(can)).collect();
        Self { backend, can, borrowed: false, advice: |_| "" }
    }

    /// With what the user can do about what is lacking.
    pub fn advise(self, advice: fn(Capability) -> &'static str) -> Self {
        Self { advice, ..self }
    }
}

impl Default for Abilities {
    /// Everything: of no particular backend.
    fn default() -> Self {
        Self::without("chosen", &[])
    }
}

/// What an external cluster can do where its file names a command.
pub const fn by_command(capability: Capability) -> bool {
    use Capability::{Kill, Pause, Start, Stop, WipeDisk};
    matches!(capability, Kill | Stop | Start | Pause | WipeDisk)
}
