//! The small enumerations of the language.

use super::words;

words! {
    /// How the cluster keeps its metadata.
    pub enum MetadataMode("`kraft` or `zookeeper`") {
        /// Controllers of Kafka's own (Kafka 3.3 and newer).
        Kraft = "kraft",
        /// ZooKeeper (until Kafka 3.9).
        Zookeeper = "zookeeper",
    }

    /// Which acknowledgements a producer waits for.
    pub enum Acks("`0`, `1` or `all`") {
        /// None.
        None = "0",
        /// The leader's.
        Leader = "1",
        /// Those of all in-sync replicas.
        All = "all" | "-1",
    }

    /// How a producer compresses.
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

    /// Where a consumer without a committed position begins.
    pub enum OffsetReset("`earliest` or `latest`") {
        /// At the log's start.
        Earliest = "earliest",
        /// At the log's end.
        Latest = "latest",
    }

    /// How a consumer commits.
    pub enum CommitMode("`auto`, `sync` or `none`") {
        /// In the background, every few seconds.
        Auto = "auto",
        /// After each batch, waiting for the answer.
        Sync = "sync",
        /// Never.
        None = "none",
    }

    /// Which messages of transactions a consumer sees.
    pub enum Isolation("`read_committed` or `read_uncommitted`") {
        /// Committed ones only.
        ReadCommitted = "read_committed",
        /// All.
        ReadUncommitted = "read_uncommitted",
    }

    /// Which messages are meant, by when they were acknowledged.
    pub enum SentWhen("`before`") {
        /// Acknowledged before the step began: at rest in the log when it did.
        Before = "before",
    }

    /// What a started broker finds on its disk.
    pub enum DataFate("`kept` or `wiped`") {
        /// What was there before.
        Kept = "kept",
        /// Nothing: a lost disk.
        Wiped = "wiped",
    }

    /// How a restart ends the broker's process.
    pub enum RestartHow("`stop` or `kill`") {
        /// Gracefully.
        Stop = "stop",
        /// With SIGKILL.
        Kill = "kill",
    }

    /// Whether clients share a network fault.
    pub enum NetworkClients("`stay` or `cut`") {
        /// They reach every broker.
        Stay = "stay",
        /// They are cut off from the brokers named.
        Cut = "cut",
    }

    /// Which election is asked for.
    pub enum ElectionType("`preferred` or `unclean`") {
        /// The first replica of each partition, if it is in sync.
        Preferred = "preferred",
        /// Any living replica where no in-sync one lives; may lose messages.
        Unclean = "unclean",
    }

    /// The address family of a socket.
    pub enum Family("`ipv4` or `ipv6`") {
        /// Bound to IPv4 only.
        Ipv4 = "ipv4",
        /// Bound to IPv6, with or without IPv4.
        Ipv6 = "ipv6",
    }

    /// The state of a consumer group.
    pub enum GroupState("a group state such as `Stable`") {
        /// Every member has its partitions.
        Stable = "Stable",
        /// Members are joining.
        PreparingRebalance = "PreparingRebalance",
        /// Partitions are being handed out.
        CompletingRebalance = "CompletingRebalance",
        /// No members.
        Empty = "Empty",
        /// Gone.
        Dead = "Dead",
    }

    /// An edge of a partition's log.
    pub enum LogEdge("`start` or `end`") {
        /// The first offset that is kept.
        Start = "start",
        /// The offset behind the last message.
        End = "end",
    }

    /// On how many partitions something must show.
    pub enum Spread("`every` or `any`") {
        /// On every one.
        Every = "every",
        /// On at least one.
        Any = "any",
    }

    /// How clients and brokers talk.
    pub enum SecurityProtocol("`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`") {
        /// In clear, without names.
        Plaintext = "PLAINTEXT",
        /// Encrypted, without names.
        Ssl = "SSL",
        /// In clear, with names.
        SaslPlaintext = "SASL_PLAINTEXT",
        /// Encrypted, with names.
        SaslSsl = "SASL_SSL",
    }

    /// How users prove who they are.
    pub enum SaslMechanism("`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`") {
        /// A password in clear.
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
    /// In the first brokers' processes.
    Combined,
    /// In so many processes of their own, numbered from 101.
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

/// What a partition's leader is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderIs {
    /// This broker.
    Broker(u32),
    /// Any living broker.
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
            { "type": "integer", "minimum": 1 },
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
