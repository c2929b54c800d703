//! What a backend can do, and what words need.

use std::collections::BTreeSet;

use crate::source::Span;

/// Where a plan's cluster comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Containers.
    #[default]
    Docker,
    /// librdkafka's mock cluster inside the runner: simulated.
    Embedded,
    /// Processes on this machine.
    Local,
    /// A cluster that exists.
    External,
}

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
    Stop = "shut brokers down",
    /// Start a broker that is down.
    Start = "start brokers",
    /// Freeze a broker's process.
    Pause = "freeze brokers",
    /// Start a broker with an empty disk.
    WipeDisk = "empty a broker's disk",
    /// Drop packets between brokers.
    NetworkPartition = "part the network",
    /// Make the network slow or lossy.
    NetworkDegradation = "slow the network down",
    /// Fill a broker's disk.
    FillDisk = "fill a broker's disk",
    /// Tell and change in-sync sets.
    InSyncSets = "show in-sync sets",
    /// Look into the socket table of a broker's host.
    Listeners = "show listeners",
    /// Read the brokers' own logs.
    BrokerLogs = "read the brokers' logs",
    /// Read what lies on the brokers' disks.
    Disks = "read the brokers' disks",
    /// Lose what was seen before, as real logs do when they are cut back.
    Truncation = "cut a log back",
    /// Choose how brokers are set up.
    BrokerSettings = "set brokers up",
    /// Choose settings of topics.
    TopicSettings = "set topics up",
    /// Delete and change topics.
    ChangeTopics = "delete or change topics",
    /// Elect leaders on demand.
    Elections = "elect leaders on demand",
    /// Move replicas.
    Reassignment = "move replicas",
    /// Choose the image of a container.
    Images = "choose an image",
    /// Users, passwords, certificates.
    Security = "have users or encryption",
    /// ZooKeeper, or controllers of their own.
    OwnControllers = "have ZooKeeper or controllers of their own",
    /// Transactions, with what aborts leave behind.
    Transactions = "show transactions",
    /// States of consumer groups.
    GroupStates = "show states of groups",
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

impl Backend {
    /// How the command line writes it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Embedded => "embedded",
            Self::Local => "local",
            Self::External => "external",
        }
    }

    /// What it can do. An external cluster's abilities depend on its backend file too; unless
    /// [`crate::Options::capabilities`] says so, everything that can be possible is.
    pub fn capabilities(self) -> BTreeSet<Capability> {
        use Capability::*;
        let lacks: &[Capability] = match self {
            Self::Docker => &[],
            Self::Embedded => {
                return BTreeSet::from([Kill, Stop, Start]);
            }
            Self::Local => {
                &[NetworkPartition, NetworkDegradation, FillDisk, Disks, Images, Security]
            }
            Self::External => &[
                Images,
                BrokerSettings,
                Security,
                Upgrade,
                FillDisk,
                Disks,
                NetworkPartition,
                NetworkDegradation,
                Listeners,
                BrokerLogs,
            ],
        };
        Capability::ALL.iter().copied().filter(|c| !lacks.contains(c)).collect()
    }

    /// What the user can do about it.
    pub(crate) const fn advice(self, capability: Capability) -> &'static str {
        match self {
            Self::Docker => "",
            Self::Embedded => "run it on real brokers: --backend docker",
            Self::Local => "run it in containers: --backend docker",
            Self::External if by_command(capability) => {
                "give the backend file a command for it, or run it in containers: --backend docker"
            }
            Self::External => "run it in containers: --backend docker",
        }
    }
}

/// What an external cluster can do where its file names a command.
pub const fn by_command(capability: Capability) -> bool {
    use Capability::{Kill, Pause, Start, Stop, WipeDisk};
    matches!(capability, Kill | Stop | Start | Pause | WipeDisk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_can_do_everything_and_the_simulation_little() {
        assert_eq!(Backend::Docker.capabilities().len(), Capability::ALL.len());
        let embedded = Backend::Embedded.capabilities();
        assert!(
            embedded.contains(&Capability::Kill) && !embedded.contains(&Capability::InSyncSets)
        );
        assert!(!Backend::Local.capabilities().contains(&Capability::NetworkPartition));
    }
}
