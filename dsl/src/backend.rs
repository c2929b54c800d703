//! What a backend can do, and what words need of it.

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

            /// The ability, as a phrase after "cannot".
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

capabilities! {
    /// Kill a broker's process.
    Kill = "kill brokers",
    /// Stop a broker gracefully.
    Stop = "stop brokers gracefully",
    /// Start a broker that is down.
    Start = "start brokers",
    /// Leave a broker that was killed or stopped down until the plan starts it.
    KeepDown = "keep a killed or stopped broker down",
    /// Pause a broker's process.
    Pause = "pause brokers",
    /// Start a broker with an empty disk.
    WipeDisk = "wipe a broker's disk",
    /// Take the power from nodes: what they did not sync is lost.
    PowerLoss = "take the power from brokers",
    /// Make the clocks of nodes wrong.
    SkewClock = "skew the clocks of brokers",
    /// Change the bytes of files on brokers' disks.
    DamageFiles = "damage files on brokers' disks",
    /// Make calls of nodes on their disks fail or take longer.
    DiskCalls = "make brokers' disks fail or slow",
    /// Change what becomes of the requests of clients.
    Requests = "disturb requests",
    /// Drop packets between brokers.
    NetworkPartition = "partition the network",
    /// Make the network slow or lossy.
    NetworkDegradation = "degrade the network",
    /// Fill a broker's disk.
    FullDisk = "fill a broker's disk",
    /// Show in-sync replicas, and let them change.
    InSyncSets = "show in-sync replicas",
    /// Read the socket table of a broker's host.
    Listeners = "show listeners",
    /// Read the brokers' own logs.
    BrokerLogs = "read the brokers' logs",
    /// Read the data on the brokers' disks.
    Disks = "read the brokers' disks",
    /// Truncate logs, so that messages that were seen are lost.
    Truncation = "truncate a log",
    /// Apply settings of brokers.
    BrokerSettings = "set broker settings",
    /// Check what users may do.
    Acls = "check permissions of users",
    /// Limit clients by quotas.
    Quotas = "set quotas",
    /// Change settings of running brokers.
    DynamicSettings = "change settings of running brokers",
    /// Apply settings of topics.
    TopicSettings = "set topic settings",
    /// Delete and change topics.
    ChangeTopics = "delete or change topics",
    /// Elect leaders on demand.
    Elections = "elect leaders on demand",
    /// Move replicas.
    Reassignment = "move replicas",
    /// Use another image for containers.
    Images = "use another container image",
    /// Run containers in the cluster's network.
    Containers = "run services as containers",
    /// Use logins and encryption.
    Security = "use authentication or encryption",
    /// Number the first broker otherwise than 1.
    BrokerNumbers = "number brokers from another number than 1",
    /// Run ZooKeeper or dedicated controllers.
    OwnControllers = "run ZooKeeper or dedicated controllers",
    /// Show transactions, including aborted ones.
    Transactions = "show transactions",
    /// Show the states of consumer groups.
    GroupStates = "show the states of consumer groups",
    /// Run another version on the same data.
    Upgrade = "change a broker's version",
    /// Hold as many messages as a producer without limits sends.
    LargeLogs = "hold more than 100,000 messages or 5 MiB in a partition",
}

/// An ability of the backend that a word needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The ability.
    pub capability: Capability,
    /// The argument that needs it, if not the word itself.
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

/// The backend that a plan is checked for: its name, its abilities, and advice where it lacks one.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// Its name on the command line.
    pub backend: &'static str,
    /// Its abilities.
    pub can: BTreeSet<Capability>,
    /// True if the cluster exists before the plan and stays after it.
    pub borrowed: bool,
    /// Numbers that brokers of a cluster that exists certainly have: those that its backend file names.
    pub brokers: BTreeSet<u32>,
    /// The version of Kafka that a cluster without `version` has, if it is not the language's default.
    pub version: Option<String>,
    /// The image of the command line or the environment, instead of Kafka's usual ones.
    pub image: Option<String>,
    /// What the user can do if it lacks an ability; empty if nothing helps.
    pub advice: fn(Capability) -> &'static str,
}

impl Abilities {
    /// A backend that can do everything except this.
    pub fn without(backend: &'static str, lacks: &[Capability]) -> Self {
        let can = Capability::ALL.iter().copied().filter(|can| !lacks.contains(can)).collect();
        let brokers = BTreeSet::new();
        Self { backend, can, borrowed: false, brokers, version: None, image: None, advice: |_| "" }
    }

    /// Adds advice for abilities that it lacks.
    pub fn advise(self, advice: fn(Capability) -> &'static str) -> Self {
        Self { advice, ..self }
    }
}

/// True for an image of one of Kafka's own releases: Apache's, or one that kplan makes. Others may know more settings.
pub(crate) fn is_release(image: &str) -> bool {
    ["apache/kafka:", "kplan/kafka:"].iter().any(|name| image.starts_with(name))
}

impl Default for Abilities {
    /// All abilities, for no particular backend.
    fn default() -> Self {
        Self::without("chosen", &[])
    }
}

/// The abilities that an external cluster has if its file names a command.
pub const fn by_command(capability: Capability) -> bool {
    use Capability::{Kill, Pause, Start, Stop, WipeDisk};
    matches!(capability, Kill | Stop | Start | Pause | WipeDisk)
}
