//! Judgements: verdicts, findings, reasons, measured time spans, anomalies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::StepRun;

/// The reason of a suite's verdict, if no step shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What kind.
    pub kind: ReasonKind,
    /// As text, with the time if it has one.
    pub text: String,
    /// The messages, partitions or times that were found.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// The plan's line that it is about.
    #[serde(default)]
    pub line: Option<u32>,
}

impl Reason {
    /// A reason without evidence or line.
    pub fn new(kind: ReasonKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), evidence: Vec::new(), line: None }
    }
}

/// Kinds of [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// An `always` condition was violated.
    Violated,
    /// The evidence is missing (for example, every assert was skipped).
    Inconclusive,
    /// The plan's `timeout`.
    TimedOut,
    /// A signal.
    Interrupted,
    /// A client or a node that ended by itself, and no step reported it.
    Ended,
    /// The rig.
    Rig,
}

/// A time span that a condition measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Step that asked.
    pub step: StepRun,
    /// What it is.
    pub kind: Stretch,
    /// Client.
    pub client: String,
    /// The worst partition, e.g. `orders/0`.
    pub place: Option<String>,
    /// Begin, monotonic microseconds.
    pub from_us: i64,
    /// End; none when it was still open when it was judged.
    pub until_us: Option<i64>,
    /// The part in which the plan kept the client from working: it does not count.
    #[serde(default)]
    pub away_us: i64,
}

/// The kind of a measured time span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// From a fault until a client made progress again.
    Recovered,
    /// A time in which a client made no progress.
    Unavailable,
}

impl Stretch {
    /// Its name in the language.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Four verdicts; a broken rig is never reported as a failure of Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did not run.
    Skipped,
    /// It was carried out and, if judged, held.
    Passed,
    /// Kafka, or the plan's expectation: did not hold, ran out of time, or inconclusive.
    Failed,
    /// The rig failed.
    Broken,
}

/// How one condition was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The condition as the plan has it, e.g. `lost: 0`.
    pub condition: String,
    /// Its line in the plan.
    pub line: u32,
    /// How it was judged.
    pub holds: Holds,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, as text; for inconclusive what was missing.
    pub found: String,
    /// The messages, partitions or times that were found.
    pub evidence: Vec<String>,
    /// When it first held, milliseconds after the step began (wait, within).
    pub after_ms: Option<u64>,
}

/// The judgement of one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// The evidence to judge it is missing.
    Inconclusive,
    /// Recorded, not judged.
    Unjudged,
}

/// Where the lost messages of one place are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDisk {
    /// On no disk, and every disk was read.
    pub gone: u64,
    /// Still on a disk, but not readable by consumers.
    pub cut_off: u64,
    /// By broker and its state: how many of them it holds.
    pub holders: BTreeMap<String, u64>,
    /// The brokers whose disks were read.
    pub read: Vec<u32>,
    /// Disks that could not be read, and why.
    pub unread: Vec<String>,
}

impl OnDisk {
    /// Adds another place.
    pub fn add(&mut self, other: &Self) {
        self.gone += other.gone;
        self.cut_off += other.cut_off;
        for (holder, count) in &other.holders {
            *self.holders.entry(holder.clone()).or_default() += count;
        }
        for broker in &other.read {
            if let Err(at) = self.read.binary_search(broker) {
                self.read.insert(at, *broker);
            }
        }
        for why in &other.unread {
            if !self.unread.contains(why) {
                self.unread.push(why.clone());
            }
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        if self.cut_off > 0 {
            let holders: Vec<String> =
                self.holders.iter().map(|(who, n)| format!("{n} on {who}")).collect();
            words.push(format!(
                "{} still on disk, cut off from readers ({})",
                self.cut_off,
                holders.join(", ")
            ));
        }
        if self.gone > 0 {
            words.push(format!("{} gone from the disks of {}", self.gone, brokers(&self.read)));
        }
        if !self.unread.is_empty() {
            words.push(format!("not searched on every disk: {}", self.unread.join("; ")));
        }
        words.join("; ")
    }
}

/// `broker 1`, `brokers 1, 2`
pub(crate) fn brokers(numbers: &[u32]) -> String {
    let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let noun = if list.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", list.join(", "))
}

/// An anomaly of the log with examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Step that asked.
    pub step: StepRun,
    /// Its name in the language, e.g. `lost`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// By place: topic, partition, client, count.
    pub by: Vec<AnomalyPlace>,
    /// Examples, bounded.
    pub examples: Vec<Example>,
    /// For lost messages: where they are on the brokers' disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<OnDisk>,
}

impl Anomaly {
    /// Takes over a newer count of the same kind, and keeps the counts of other topics and clients: two
    /// conditions may each have counted a part.
    pub fn renew(&mut self, newer: &Self) {
        let counted: BTreeSet<_> = newer.by.iter().map(|p| (&p.topic, &p.client)).collect();
        self.by.retain(|p| !counted.contains(&(&p.topic, &p.client)));
        let lies_in = |by: &[AnomalyPlace], e: &Example| {
            by.iter().any(|p| p.topic == e.topic && p.partition == e.partition)
        };
        self.examples.retain(|e| lies_in(&self.by, e) && !lies_in(&newer.by, e));
        let count = newer.count + self.by.iter().map(|p| p.count).sum::<u64>();
        let by = newer.by.iter().cloned().chain(self.by.drain(..)).collect();
        let examples = newer.examples.iter().cloned().chain(self.examples.drain(..)).collect();
        let on_disk = newer.on_disk.clone().or_else(|| self.on_disk.take());
        *self = Self { count, by, examples, on_disk, ..newer.clone() };
    }
}

/// The place of an anomaly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyPlace {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Client or group.
    pub client: String,
    /// How many.
    pub count: u64,
}

/// An example of an older run is one message.
fn one_message() -> u64 {
    1
}

/// One message that an anomaly is about, or several that follow on one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset, where known.
    pub offset: Option<i64>,
    /// Producing client.
    pub client: Option<String>,
    /// Its life.
    pub life: Option<u16>,
    /// Sequence.
    pub sequence: Option<u64>,
    /// How many messages, with offsets and sequences that follow on these.
    #[serde(default = "one_message")]
    pub count: u64,
    /// When (acknowledged, delivered), monotonic microseconds.
    pub mono_us: Option<i64>,
    /// In words.
    pub text: String,
}
