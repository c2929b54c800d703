//! The small enumerations of the language.

use super::words;

words! {
    /// Where the cluster stores its metadata.
    pub enum MetadataMode("`kraft` or `zookeeper`") {
        /// In KRaft controllers (Kafka 3.3 and newer).
        Kraft = "kraft",
        /// In ZooKeeper (Kafka 3.9 and older).
        Zookeeper = "zookeeper",
    }

    /// Which acknowledgements a producer waits for.
    pub enum Acks("`0`, `1` or `all`") {
        /// None.
        None = "0",
        /// The acknowledgement of the leader.
        Leader = "1",
        /// The acknowledgement of all in-sync replicas.
        All = "all" | "-1",
    }

    /// The compression of a producer's messages.
    pub enum Compression("`none`, `gzip`, `snappy`, `lz4` or `zstd`") {
        /// Not at all.
        None = "none",
        /// gzip.
        Gzip = "gzip",
        /// snappy.
        Snappy = "snappy",
        /// lz4.
        Lz4 = "lz4",
        /// zstd.
        Zstd = "zstd",
    }

    /// Where a consumer without a committed offset begins.
    pub enum OffsetReset("`earliest` or `latest`") {
        /// At the start of the log.
        Earliest = "earliest",
        /// At the end of the log.
        Latest = "latest",
    }

    /// How a consumer commits offsets.
    pub enum CommitMode("`auto`, `sync` or `none`") {
        /// In the background, every few seconds.
        Auto = "auto",
        /// After each batch, waiting for the answer of the broker.
        Sync = "sync",
        /// Never.
        None = "none",
    }

    /// Which messages of transactions are delivered to a consumer.
    pub enum Isolation("`read_committed` or `read_uncommitted`") {
        /// Only messages of committed transactions.
        ReadCommitted = "read_committed",
        /// All messages.
        ReadUncommitted = "read_uncommitted",
    }

    /// Selects messages by the time of their acknowledgement.
    pub enum SentWhen("`before`") {
        /// Messages that were acknowledged before the step began.
        Before = "before",
    }

    /// The data on the disk of a started broker.
    pub enum DataFate("`kept` or `wiped`") {
        /// The data that was there before.
        Kept = "kept",
        /// No data, as after the loss of a disk.
        Wiped = "wiped",
    }

    /// What survives a power loss of the data that was not synced.
    pub enum PowerKeep("`nothing` or `random`") {
        /// Nothing.
        Nothing = "nothing",
        /// A share that the run's seed chooses.
        Random = "random",
    }

    /// How a restart ends the process.
    pub enum RestartHow("`stop` or `kill`") {
        /// Gracefully.
        Stop = "stop",
        /// With SIGKILL.
        Kill = "kill",
    }

    /// Whether a network fault also affects clients.
    pub enum NetworkClients("`stay` or `cut`") {
        /// Clients reach every broker.
        Stay = "stay",
        /// Clients are cut off from the named brokers.
        Cut = "cut",
    }

    /// The type of an election.
    pub enum ElectionType("`preferred` or `unclean`") {
        /// The first replica of each partition becomes leader, if it is in sync.
        Preferred = "preferred",
        /// Any running replica becomes leader where no in-sync replica is running. This may lose messages.
        Unclean = "unclean",
    }

    /// The address family of a socket.
    pub enum Family("`ipv4` or `ipv6`") {
        /// A socket that is bound to IPv4 only.
        Ipv4 = "ipv4",
        /// A socket that is bound to IPv6, with or without IPv4.
        Ipv6 = "ipv6",
    }

    /// The protocol by which the members of a group share the partitions.
    pub enum GroupProtocol("`classic` or `consumer`") {
        /// The members agree on the assignment.
        Classic = "classic",
        /// The group coordinator decides on the assignment (KIP-848).
        Consumer = "consumer",
    }

    /// The state of a consumer group.
    pub enum GroupState("a group state such as `Stable`") {
        /// The partitions are assigned to the members.
        Stable = "Stable",
        /// The group coordinator works out the assignment (`protocol: consumer`).
        Assigning = "Assigning",
        /// Members give up and take over partitions (`protocol: consumer`).
        Reconciling = "Reconciling",
        /// Members are joining.
        PreparingRebalance = "PreparingRebalance",
        /// Partitions are being assigned.
        CompletingRebalance = "CompletingRebalance",
        /// The group has no members.
        Empty = "Empty",
        /// The group does not exist any more.
        Dead = "Dead",
    }

    /// One end of a partition's log.
    pub enum LogEdge("`start` or `end`") {
        /// The log start offset.
        Start = "start",
        /// The log end offset.
        End = "end",
    }

    /// On how many partitions a condition must hold.
    pub enum Spread("`every` or `any`") {
        /// On every partition.
        Every = "every",
        /// On at least one partition.
        Any = "any",
    }

    /// The protocol between clients and brokers.
    pub enum SecurityProtocol("`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`") {
        /// Without encryption, without logins.
        Plaintext = "PLAINTEXT",
        /// With encryption, without logins.
        Ssl = "SSL",
        /// Without encryption, with logins.
        SaslPlaintext = "SASL_PLAINTEXT",
        /// With encryption, with logins.
        SaslSsl = "SASL_SSL",
    }

    /// The SASL mechanism.
    pub enum SaslMechanism("`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`") {
        /// The password is sent as plain text.
        Plain = "PLAIN",
        /// SCRAM with SHA-256.
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
    }

    /// The word that stands for the whole cluster.
    pub enum DescribeWhat("`cluster`") {
        /// The cluster.
        Cluster = "cluster",
    }
}

#[expect(clippy::derivable_impls, reason = "a variant of `words!` has no place for the attribute")]
impl Default for Acks {
    fn default() -> Self {
        Self::All
    }
}

#[expect(clippy::derivable_impls, reason = "a variant of `words!` has no place for the attribute")]
impl Default for Isolation {
    fn default() -> Self {
        Self::ReadCommitted
    }
}

use schemars::{Schema, json_schema};

use super::{FromText, TextError, text_value, unknown_word};

/// Where a KRaft cluster's controllers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controllers {
    /// In the processes of the first brokers.
    Combined,
    /// In this number of separate processes, numbered from 101.
    Own(u32),
}

impl FromText for Controllers {
    const EXPECTS: &'static str = "`combined` or a number of controllers";

    fn from_text(text: &str) -> Result<Self, TextError> {
        match (text, text.parse::<u32>()) {
            ("combined", _) => Ok(Self::Combined),
            (_, Ok(n @ 1..=9)) => Ok(Self::Own(n)),
            (_, Ok(n)) => {
                let message = format!("{n} controllers: between 1 and 9 are possible");
                Err(TextError::new(crate::Code::E015, message))
            }
            _ => Err(unknown_word(text, &["combined"])),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["combined"] },
            { "type": "integer", "minimum": 1, "maximum": 9 },
        ] })
    }
}

impl std::fmt::Display for Controllers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Combined => f.write_str("combined"),
            Self::Own(n) => n.fmt(f),
        }
    }
}

/// The expected leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderIs {
    /// This broker.
    Broker(u32),
    /// Any running broker.
    Any,
    /// No broker.
    None,
}

impl FromText for LeaderIs {
    const EXPECTS: &'static str = "a broker's number, `any` or `none`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        match text {
            "any" => Ok(Self::Any),
            "none" => Ok(Self::None),
            _ => text.parse().map(Self::Broker).map_err(|_| unknown_word(text, &["any", "none"])),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["any", "none"] },
            { "type": "integer", "minimum": 0 },
        ] })
    }
}

impl std::fmt::Display for LeaderIs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broker(n) => n.fmt(f),
            Self::Any => f.write_str("any"),
            Self::None => f.write_str("none"),
        }
    }
}

text_value!(Controllers, LeaderIs);
crate::meaning::shown!(Controllers, LeaderIs);
