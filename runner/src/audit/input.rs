//! The input of the audit: histories, and facts that only the runner knows.

use crate::history::{Extent, Header, HistoryError, HistoryFile, MessageRun};
pub use kplan_dsl::value::{Acks, Isolation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One history file, or one list of runs in memory. Read several times from its start, never held
/// as a whole. [`Header::writer`] is its kind; the order of the runs is the order of writing.
///
/// An audit's source holds the [`Found`](crate::history::Mark::Found) runs of a partition in the
/// order of their offsets, and all runs of one partition are in one source. Of several audits the one
/// of the highest [`Header::life`] is judged.
pub trait RunSource {
    fn header(&self) -> &Header;
    /// Its runs from the first; may be called again, and may see more runs while the writer lives.
    /// Ends after an error, which makes everything inconclusive.
    fn runs(&self) -> Box<dyn Iterator<Item = Result<MessageRun, HistoryError>> + '_>;
    /// How far it was published before the log's end was requested: the log must contain that part. None
    /// if all of it was.
    fn published(&self) -> Option<&Extent> {
        None
    }
}

impl RunSource for HistoryFile {
    fn header(&self) -> &Header {
        HistoryFile::header(self)
    }
    fn runs(&self) -> Box<dyn Iterator<Item = Result<MessageRun, HistoryError>> + '_> {
        Box::new(self.iter_from(0))
    }
}

/// A history that may still be written, with how far it was published before the log's end was
/// requested.
#[derive(Debug)]
pub struct Published {
    /// The file, opened after the log was read.
    pub file: HistoryFile,
    /// How far it was published before.
    pub extent: Extent,
}

impl RunSource for Published {
    fn header(&self) -> &Header {
        self.file.header()
    }
    fn runs(&self) -> Box<dyn Iterator<Item = Result<MessageRun, HistoryError>> + '_> {
        RunSource::runs(&self.file)
    }
    fn published(&self) -> Option<&Extent> {
        Some(&self.extent)
    }
}

/// A history held in memory.
#[derive(Clone, Debug)]
pub struct MemorySource {
    pub header: Header,
    /// Its runs, in the order of writing.
    pub runs: Vec<MessageRun>,
    /// How far it was published before the log's end was requested; none: all of it.
    pub published: Option<Extent>,
}

impl RunSource for MemorySource {
    fn header(&self) -> &Header {
        &self.header
    }
    fn runs(&self) -> Box<dyn Iterator<Item = Result<MessageRun, HistoryError>> + '_> {
        Box::new(self.runs.iter().copied().map(Ok))
    }
    fn published(&self) -> Option<&Extent> {
        self.published.as_ref()
    }
}

/// Everything that the audit judges.
pub struct AuditInput<'a> {
    /// All histories of the run, in any order: producers (sent and answered), consumers, the log. While
    /// clients run, those of [`ProducerSent`](crate::history::Writer::ProducerSent) must be opened or
    /// refreshed after all others, or a message that was just sent looks like a `phantom`.
    pub sources: Vec<&'a dyn RunSource>,
    /// Facts that the histories do not contain.
    pub facts: Facts,
}

/// Which messages, copies and deliveries are judged. Times are monotonic microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    #[default]
    All,
    /// What was sent, written or delivered at or after this time; see [`window`](super::window) for each measure.
    Since(i64),
    /// Only messages that were acknowledged before this time.
    AtRest(i64),
}

impl Window {
    /// The time from which on things count.
    pub fn since(self) -> Option<i64> {
        match self {
            Self::Since(us) => Some(us),
            _ => None,
        }
    }

    /// The time before which a message must have been acknowledged.
    pub fn at_rest(self) -> Option<i64> {
        match self {
            Self::AtRest(us) => Some(us),
            _ => None,
        }
    }

    /// Whether a run counts by its time. A run has its times to a precision of
    /// [`RUN_SPAN_US`](crate::history::RUN_SPAN_US).
    pub fn shows(self, run: &MessageRun) -> bool {
        match self {
            Self::All => true,
            Self::Since(us) => run.last_us >= us,
            Self::AtRest(us) => run.last_us < us,
        }
    }
}

/// What the runner knows besides the histories. Missing facts have the meaning of `default()`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub window: Window,
    /// By name. A topic that is missing here is judged as existing, without compaction.
    pub topics: BTreeMap<String, TopicFacts>,
    /// Producers and consumers by name.
    pub clients: BTreeMap<String, ClientFacts>,
    /// Consumer groups by name. A group that is missing here counts as not caught up.
    pub groups: BTreeMap<String, GroupFacts>,
    /// The messages of `produce`, which carry no identity.
    pub given: Vec<Given>,
}

impl Facts {
    /// The facts of a partition, to be completed.
    pub fn partition(&mut self, topic: &str, partition: u32) -> &mut PartitionFacts {
        let topic = self.topics.entry(topic.to_owned()).or_default();
        topic.partitions.entry(partition).or_default()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicFacts {
    /// When the present incarnation was created, if one of the same name was deleted before it
    /// (monotonic microseconds, when the deletion had ended). What was acknowledged before is `deleted`.
    pub made_anew_us: Option<i64>,
    /// The topic was deleted and is gone.
    pub deleted: bool,
    /// `cleanup.policy` contains `compact`, or once did.
    pub compacted: bool,
    /// Programs outside the plan write to it too.
    pub external: bool,
    /// No topic: what a service wrote elsewhere, as a step collected it. Only what is said of the service is about it.
    pub elsewhere: bool,
    pub partitions: BTreeMap<u32, PartitionFacts>,
}

/// The facts of a partition.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionFacts {
    /// High watermark up to which the audit was to read. Where its `LogEnd` mark is lower, the
    /// partition was not read to its end.
    pub end: Option<i64>,
    /// Log start before the run's first message (0 for topics of this run).
    pub start_before_run: i64,
    /// Why the partition could not be read to its end, if so: everything about its log is inconclusive.
    pub not_ready: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientFacts {
    /// Its newest life is still running: judged for what it had recorded before the log's end was requested.
    pub running: bool,
    pub acks: Acks,
    /// Idempotent or transactional: reported offsets are believed only if something else shows them too.
    pub idempotent: bool,
    /// For producers with keys, by partition: after how many messages of that partition the same key
    /// comes again. Message `s` of any life has the key number `s % period`.
    pub key_period: BTreeMap<u32, u64>,
    /// Its messages carry their identity in kplan's own form only, which no service passes on.
    pub own_form: bool,
    /// What it makes of the messages of a topic, if it is a copier or a service.
    pub work: Option<ServiceWork>,
    /// It is another program: it announces no message before it sends it, numbers its messages over all partitions,
    /// and chooses the partition of each.
    pub numbers_itself: bool,
}

impl ClientFacts {
    /// What it makes of messages, if it is a service that kplan does not bring.
    pub fn derives(&self) -> Option<&ServiceWork> {
        self.work.as_ref().filter(|work| work.naming == Naming::Derived)
    }
}

/// What a copier or a service makes of the messages of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceWork {
    /// The group it reads in, if that is known.
    pub group: Option<String>,
    /// The topic it reads.
    pub from: String,
    /// The topic it writes to.
    pub to: String,
    /// How many messages it makes of each.
    pub outputs: u64,
    pub naming: Naming,
}

/// How the messages of a service name their originals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// It is a copier of kplan: see [`Mark::Copied`](crate::history::Mark::Copied).
    Copied,
    /// By identities as text: see [`Mark::Derived`](crate::history::Mark::Derived).
    Derived,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupFacts {
    /// `isolation.level` of its members.
    pub isolation: Isolation,
    /// Why the group has not read to the end, if so: `undelivered` is then inconclusive.
    pub behind: Option<String>,
    /// First positions that differ from the first `Assigned` mark of the partition.
    pub starts: Vec<At>,
    /// The end that each partition was to be read to; else the end of the audited log.
    pub ends: Vec<At>,
    /// For the group of a service.
    pub committed: GroupCommits,
}

/// What a group had committed before the log's end was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupCommits {
    /// The next offset to read of each partition that it had committed.
    Known(Vec<At>),
    /// No broker reported it: why.
    Unknown(String),
}

impl Default for GroupCommits {
    fn default() -> Self {
        Self::Unknown("no broker was asked".to_owned())
    }
}

/// An offset in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    pub topic: String,
    pub partition: u32,
    pub offset: i64,
}

/// A message of `produce`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub topic: String,
    /// Its partition; none if the partitioner chose.
    pub partition: Option<u32>,
    /// The hash of key and value that [`Mark::Foreign`](crate::history::Mark::Foreign) runs carry.
    pub hash: u64,
}
