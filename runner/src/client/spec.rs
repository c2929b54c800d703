//! The specification that a client process gets when it starts.

use std::path::PathBuf;

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, CommitMode, Isolation, OffsetReset};
use serde::{Deserialize, Serialize};

use super::{routes::Routes, settings};
use crate::{
    history::{Header, Writer},
    identity::payload::run_hash,
};

/// The part of the specification that all clients have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// The run's id.
    pub run: String,
    /// The client's name in the plan.
    pub name: String,
    /// The client's number in this suite, from 1, never used again: the identity in its messages.
    pub client_id: u16,
    /// The group's member, from 1; 1 for producers.
    pub member: u16,
    pub life: u16,
    /// `HOST:PORT` of brokers, separated by commas.
    pub bootstrap: String,
    /// The suite's directory: histories go to `history/`, logs to `logs/` below it.
    pub dir: PathBuf,
    /// librdkafka settings of the cluster (security) and of the plan, which override kplan's defaults.
    pub config: IndexMap<String, String>,
    /// Where its connections go, if not to the advertised addresses.
    #[serde(default)]
    pub routes: Option<Routes>,
}

#[cfg(test)]
impl Common {
    /// For a client in a test.
    pub(crate) fn of_test(config: IndexMap<String, String>) -> Self {
        let (bootstrap, dir) = ("127.0.0.1:1".into(), "/nowhere".into());
        Self { run: "r".into(), bootstrap, dir, ..Self::unstarted("C", config) }
    }
}

impl Common {
    /// For a client that is never started: only its settings are used.
    pub fn unstarted(name: &str, config: IndexMap<String, String>) -> Self {
        Self {
            run: "check".to_owned(),
            name: name.to_owned(),
            client_id: 1,
            member: 1,
            life: 1,
            bootstrap: String::new(),
            dir: PathBuf::new(),
            config,
            routes: None,
        }
    }

    /// `P-1`, and for the second member `C.2-1`: the client and its life, for file names.
    pub fn file_stem(&self) -> String {
        if self.member == 1 {
            format!("{}-{}", self.name, self.life)
        } else {
            format!("{}.{}-{}", self.name, self.member, self.life)
        }
    }

    /// Where this client's history of that kind is.
    pub fn history_path(&self, writer: Writer) -> PathBuf {
        let kind = match writer {
            Writer::ProducerSent => "sent",
            Writer::ProducerHeard => "heard",
            Writer::Consumer => "seen",
            Writer::Audit => "log",
        };
        self.dir.join("history").join(format!("{}.{kind}", self.file_stem()))
    }

    /// Where the latencies of its current interval are.
    pub fn latency_path(&self) -> PathBuf {
        self.dir.join("history").join(format!("{}.latency", self.file_stem()))
    }

    /// The file with how far a topic was delivered to a group: its members, and all their lives, share it.
    pub(super) fn firsts_path(&self, group: &str, topic: &str) -> PathBuf {
        let name =
            crate::identity::payload::foreign_hash(Some(group.as_bytes()), Some(topic.as_bytes()));
        self.dir.join("history").join(format!("{name:016x}.firsts"))
    }

    /// Where what this client (and librdkafka) writes to stderr goes.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("logs").join(format!("{}.log", self.file_stem()))
    }

    /// The hash of the run's id in this client's messages.
    pub fn run_hash(&self) -> u64 {
        run_hash(&self.run)
    }

    pub(super) fn header(
        &self,
        writer: Writer,
        topics: Vec<String>,
        group: Option<String>,
    ) -> Header {
        Header {
            run: self.run.clone(),
            writer,
            client: self.name.clone(),
            client_id: self.client_id,
            member: self.member,
            life: self.life,
            topics,
            group,
            pid: std::process::id(),
        }
    }
}

/// Transactions of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionSpec {
    /// Messages in one transaction.
    pub messages: u32,
    /// How many of a hundred transactions are aborted, chosen by the seed.
    pub abort_percent: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerSpec {
    pub common: Common,
    pub topic: String,
    /// The topic's partitions.
    pub partitions: u32,
    /// Messages a second; none: as fast as librdkafka takes them.
    pub rate: Option<f64>,
    /// The producer's `acks`.
    pub acks: Acks,
    /// librdkafka's `enable.idempotence`.
    pub idempotent: bool,
    /// Transactions, if any.
    pub transactional: Option<TransactionSpec>,
    /// Bytes of a message's value, at least [`crate::identity::payload::MIN_PAYLOAD`].
    pub payload_bytes: u32,
    /// The most bytes, if their number varies from message to message.
    #[serde(default)]
    pub payload_most: Option<u32>,
    /// Headers of every message.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// How many different keys; none: no key, and the partitions in turn (without a
    /// rate in blocks).
    pub keys: Option<u32>,
    /// Messages in all, over this life; none: until stopped.
    pub count: Option<u64>,
    /// librdkafka's `compression.type`.
    pub compression: Option<String>,
    /// Seeds what is chosen (aborts).
    pub seed: u64,
}

/// What a consumer (one member of its group) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerSpec {
    pub common: Common,
    pub topics: Vec<String>,
    pub group: String,
    /// Where the group begins without a committed offset, and what a reset means.
    pub from: OffsetReset,
    pub commit: CommitMode,
    pub isolation: Isolation,
    /// Whether its members are static.
    #[serde(default)]
    pub fixed: bool,
}

/// What a copier does: consume, copy, commit the positions with the copies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopierSpec {
    pub common: Common,
    pub from: String,
    /// Where the copies go.
    pub to: String,
    /// The output's partitions.
    pub partitions: u32,
    pub group: String,
    /// The most messages in one transaction.
    pub messages: u32,
    pub isolation: Isolation,
}

impl CopierSpec {
    /// Its consuming half.
    pub fn consumer(&self) -> ConsumerSpec {
        ConsumerSpec {
            common: self.common.clone(),
            topics: vec![self.from.clone()],
            group: self.group.clone(),
            from: OffsetReset::Earliest,
            commit: CommitMode::None,
            isolation: self.isolation,
            fixed: false,
        }
    }

    /// Its producing half.
    pub fn producer(&self) -> ProducerSpec {
        ProducerSpec {
            common: settings::copiers(self.common.clone()),
            topic: self.to.clone(),
            partitions: self.partitions,
            rate: None,
            acks: Acks::All,
            idempotent: true,
            transactional: Some(TransactionSpec { messages: self.messages, abort_percent: 0.0 }),
            payload_bytes: 0,
            payload_most: None,
            headers: IndexMap::new(),
            keys: None,
            count: None,
            compression: None,
            seed: 0,
        }
    }
}

/// A partition of which `[start, end)` is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSpan {
    pub partition: u32,
    /// The log's start.
    pub start: i64,
    /// The end to which the log is read, exclusive: the high watermark.
    pub end: i64,
}

/// A topic that the audit reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTopic {
    pub name: String,
    /// What to read of it.
    pub spans: Vec<ReadSpan>,
    /// Whether transactions were used: the log is then read a second time, read_committed.
    pub transactional: bool,
}

/// What the audit's reader does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The common part; the name is `audit`, `client_id` 0, and `life` counts the audits.
    pub common: Common,
    pub topics: Vec<LogTopic>,
    /// Give up after this long without any progress, in milliseconds.
    pub stall_ms: u64,
    /// Read without librdkafka, past damaged batches.
    #[serde(default)]
    pub careful: bool,
}

/// The first line that a client process reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub spec: ClientSpec,
    /// What its log must not show.
    pub secrets: Vec<String>,
}

/// What a client process does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one value a process")]
pub enum ClientSpec {
    Producer(ProducerSpec),
    Consumer(ConsumerSpec),
    Copier(CopierSpec),
    /// The audit's reader.
    Log(LogSpec),
}

impl ClientSpec {
    pub fn common(&self) -> &Common {
        match self {
            Self::Producer(p) => &p.common,
            Self::Consumer(c) => &c.common,
            Self::Copier(c) => &c.common,
            Self::Log(l) => &l.common,
        }
    }

    /// Histories that this client writes.
    pub fn histories(&self) -> Vec<PathBuf> {
        let writers: &[Writer] = match self {
            Self::Producer(_) => &[Writer::ProducerSent, Writer::ProducerHeard],
            Self::Consumer(_) => &[Writer::Consumer],
            Self::Copier(_) => &[Writer::ProducerSent, Writer::ProducerHeard, Writer::Consumer],
            Self::Log(_) => &[Writer::Audit],
        };
        writers.iter().map(|w| self.common().history_path(*w)).collect()
    }
}
