//! What was judged and how: verdicts, findings, reasons, measured stretches of time, anomalies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::SuiteId;
pub use crate::audit::disks::OnDisk;

/// Why a suite ended as it did, where no step tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What kind.
    pub kind: ReasonKind,
    /// In words, with the time where it has one.
    pub text: String,
    /// Which messages, partitions, seconds.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// The plan's line that it is about.
    #[serde(default)]
    pub line: Option<u32>,
}

impl Reason {
    /// A reason without evidence or line.
    #[must_use]
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
    /// Nothing to judge by (every assert skipped).
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

/// A stretch of time that a condition measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Suite.
    pub suite: SuiteId,
    /// Step that asked.
    pub step: String,
    /// `recovered`, `unavailable`.
    pub kind: String,
    /// Client.
    pub client: String,
    /// The worst partition, e.g. `orders/0`.
    pub place: Option<String>,
    /// Begin, monotonic microseconds.
    pub from_us: i64,
    /// End; none when it was still open when it was judged.
    pub until_us: Option<i64>,
}

/// Four verdicts; a broken rig never reads as a broken Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did not run.
    Skipped,
    /// It was done and, if judged, held.
    Passed,
    /// Kafka, or the plan's expectation: did not hold, ran out of time, or inconclusive.
    Failed,
    /// The rig could not do it.
    Broken,
}

/// How one condition was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The condition as the plan has it, e.g. `lost: 0`.
    pub condition: String,
    /// Where it stands.
    pub line: u32,
    /// How it was judged.
    pub holds: Holds,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words; for inconclusive what was missing.
    pub found: String,
    /// Which messages, partitions, seconds.
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
    /// There is nothing to judge it by.
    Inconclusive,
    /// Recorded, not judged.
    Unjudged,
}

/// An anomaly of the log with examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Suite.
    pub suite: SuiteId,
    /// Step that asked.
    pub step: String,
    /// Its name in the language, e.g. `lost`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// By place: topic, partition, client, count.
    pub by: Vec<Place>,
    /// Examples, bounded.
    pub examples: Vec<Example>,
    /// For what is lost: where it lies on the brokers' disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<OnDisk>,
}

impl Anomaly {
    /// Becomes a newer count of the same kind, and keeps what it holds of other topics and clients: two
    /// conditions may each have asked for a part.
    pub fn renew(&mut self, newer: &Self) {
        let counted: BTreeSet<_> = newer.by.iter().map(|p| (&p.topic, &p.client)).collect();
        self.by.retain(|p| !counted.contains(&(&p.topic, &p.client)));
        let lies_in = |by: &[Place], e: &Example| {
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

/// Where an anomaly lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Client or group.
    pub client: String,
    /// How many.
    pub count: u64,
}

/// One message that an anomaly is about.
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
    /// When (acknowledged, delivered), monotonic microseconds.
    pub mono_us: Option<i64>,
    /// In words.
    pub text: String,
}
