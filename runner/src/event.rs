//! The events of a run, in the order in which they happened: an append-only log.
//!
//! `events.jsonl` in the run's directory holds one [`Stamped`] event a line. Every report but the
//! live terminal is made from it, so any report can be made again, also of a run that was killed.
//! The number of events is bounded by the run's length, never by its messages.

use std::{collections::BTreeMap, path::PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::secrets::Masked;

mod id;
mod judged;
mod older;

pub use id::{FaultId, FaultKind, SettingsOf, StepRun, Why};
pub(crate) use judged::brokers;
pub use judged::{
    Anomaly, AnomalyPlace, Example, Finding, Holds, Measurement, OnDisk, Reason, ReasonKind,
    Stretch, Verdict,
};
pub use older::complete;

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Wall-clock time, RFC 3339 with microseconds.
    pub at: jiff::Timestamp,
    /// The same on the monotonic clock of the histories, in microseconds.
    pub mono_us: i64,
    /// The suite that it belongs to; none for events of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<SuiteId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Masked for Stamped {
    fn replaced(&self, text: String) -> Self {
        Self { event: Event::Note { step: StepRun::default(), text }, ..self.clone() }
    }
}

/// Number of a suite within the run, from 1: one plan and matrix cell.
pub type SuiteId = u32;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    RunStarted(RunStarted),
    /// A suite (a plan in one matrix cell) began.
    SuiteStarted(Box<SuiteStarted>),
    /// A step that the suite does not list: of a later round of a repeat, or a fault of chaos.
    StepListed {
        /// The step's id in the events.
        step: StepRun,
        /// What is known about it.
        info: Box<StepInfo>,
    },
    /// A step began.
    StepStarted {
        /// Which, in which round.
        step: StepRun,
    },
    /// A step ended.
    StepEnded(Box<StepEnded>),
    /// A target was resolved to nodes.
    TargetResolved {
        /// Step.
        step: StepRun,
        /// As in the plan.
        target: String,
        /// The nodes that it selected, e.g. `broker 2`.
        nodes: Vec<String>,
    },
    /// A node's process changed.
    Node {
        /// `broker 2`, `controller 101`, `zookeeper 1`.
        node: String,
        /// The new state.
        state: LaneState,
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// A client's process changed.
    Client {
        /// `P`, or `C/2` for a member of a group of several.
        client: String,
        /// Its life, from 1.
        life: u16,
        /// The new state.
        state: LaneState,
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// A fault began or ended.
    Fault {
        /// Which.
        #[serde(default)]
        id: FaultId,
        /// The step that made it.
        step: StepRun,
        /// `begins`, `ends`.
        phase: FaultPhase,
        /// What it does.
        #[serde(default)]
        kind: FaultKind,
        /// Its description, e.g. `broker 2 killed`.
        what: String,
    },
    /// A partition changed.
    Partition {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Leader, none if it has none.
        leader: Option<u32>,
        /// Leader epoch, if the protocol reports it.
        epoch: Option<i32>,
        /// In-sync replicas.
        in_sync: Vec<u32>,
        /// Replicas, the preferred leader first.
        replicas: Vec<u32>,
        /// The leader was elected uncleanly: it is none of these replicas, which were in sync, or had all
        /// committed messages, when the cluster was last asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unclean: Option<Vec<u32>>,
    },
    /// The controller changed.
    Controller {
        /// Its number.
        controller: Option<u32>,
    },
    /// A second of traffic of one client.
    Sample(Sample),
    /// Something a client or the cluster reported that explains a result (connection failures,
    /// rebalances, resets), bounded in number.
    Report {
        /// The client or node: `P`, `broker 2`.
        who: String,
        /// What.
        text: String,
    },
    /// A description of a topic or the cluster, as Markdown.
    Described {
        /// Step.
        step: StepRun,
        /// Title.
        title: String,
        /// Markdown (a table).
        text: String,
    },
    /// A line in the timeline.
    Note {
        /// Step.
        step: StepRun,
        /// The text.
        text: String,
    },
    /// Values recorded by `record` or an audit.
    Recorded {
        /// Step.
        step: StepRun,
        /// Name to value, in the plan's order, e.g. `lost` → `36`.
        values: IndexMap<String, serde_json::Value>,
    },
    /// An anomaly of the log with its examples, once for each audit and anomaly above zero.
    Anomaly(Box<Anomaly>),
    /// The audit read the log (once for each time it did).
    Audited {
        /// Messages found.
        messages: u64,
        /// How long it took.
        took_ms: u64,
        /// Topics read.
        topics: Vec<String>,
    },
    /// A time span that a condition measured: a client's recovery or unavailability.
    Span(Box<Measurement>),
    /// Effective configuration of a node or a client, once.
    Configured {
        /// Their owner.
        who: SettingsOf,
        /// Name to value.
        settings: IndexMap<String, String>,
    },
    /// A suite ended.
    SuiteEnded {
        /// How.
        verdict: Verdict,
        /// Adds reasons that belong to no step.
        reasons: Vec<Reason>,
    },
    /// The run ended by itself. A run without this event was killed.
    RunEnded {
        /// Exit status.
        exit: u8,
        /// Interrupted by this signal.
        signal: Option<String>,
    },
}

/// Payload of [`Event::RunStarted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run's id.
    pub run: String,
    /// kplan's version.
    pub kplan: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// `docker`, `embedded`, `local`, `external`.
    pub backend: String,
    /// The command line, secrets masked.
    pub command: Vec<String>,
    /// How many suites the run has, so that a killed run's report shows how many were not started.
    #[serde(default)]
    pub suites: u32,
    /// The most attempts of a suite (`--retries` plus one); 0 in records of earlier versions.
    #[serde(default)]
    pub attempts: u32,
}

/// Payload of [`Event::SuiteStarted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteStarted {
    /// The plan's name.
    pub name: String,
    /// Matrix cell in words, e.g. `version=4.1.1, acks=all`; empty without a matrix.
    pub cell: String,
    /// The plan's file, relative to the repository's root where there is one.
    pub file: PathBuf,
    /// Markdown.
    pub description: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Parameters and matrix values, secrets masked.
    pub params: IndexMap<String, String>,
    /// The backend is a simulation.
    pub simulated: bool,
    /// Which attempt (from 1): more than 1 if `--retries` retried a failed suite.
    pub attempt: u32,
    /// Which repetition (from 1) of `--repeat`; every repetition is a suite of its own in reports.
    #[serde(default = "first")]
    pub repetition: u32,
    /// All steps in the order of the file; `finally` last.
    pub steps: Vec<StepInfo>,
    /// The plan's text, for reports that quote it, by file.
    pub sources: BTreeMap<PathBuf, String>,
    /// The suite's own directory below the run's.
    pub dir: PathBuf,
}

fn first() -> u32 {
    1
}

/// A step as the plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its place, in the first round.
    pub id: StepRun,
    /// The step's `name`, or a description of what it does.
    pub title: String,
    /// The verb.
    pub verb: String,
    /// File (an included step's own).
    pub file: PathBuf,
    /// First line, from 1.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// The step stands in `finally`.
    pub finally: bool,
    /// It makes a fault.
    pub fault: bool,
}

/// Payload of [`Event::StepEnded`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEnded {
    /// Step.
    pub step: StepRun,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was judged, in the plan's order (also when it held).
    pub findings: Vec<Finding>,
    /// Why it did not succeed, or was skipped, if no finding shows it.
    pub reason: Option<String>,
    /// `optional: true`: a failure does not fail the plan.
    pub optional: bool,
    /// A limit ran out: a wait's `within`, the step's or the plan's `timeout`.
    #[serde(default)]
    pub timed_out: bool,
    /// The cause of its failure; none if findings show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Where the cause of a step's failure lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// In Kafka: an error answer, a missing answer, a process that ended by itself.
    Kafka,
    /// In the plan: it asks for something impossible, or requires a state that does not hold.
    Plan,
    /// In a service: it ended by itself, or was not ready or did not stop in time.
    Service,
    /// In the machine that everything runs on.
    Rig,
}

/// The cause of a step's failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Where it lies.
    pub whose: Whose,
    /// Names of the errors, Kafka's or its client's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// The node that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The client that ended, or was not in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The last lines of the node's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl Cause {
    /// A cause without details.
    pub fn of(whose: Whose) -> Self {
        Self { whose, codes: Vec::new(), node: None, client: None, log: Vec::new() }
    }
}

/// The state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Started, not ready yet.
    Starting,
    /// Works.
    Up,
    /// Paused.
    Paused,
    /// Cut off from (some of) the others.
    Isolated,
    /// Slowed down.
    Degraded,
    /// Shutting down or draining.
    Stopping,
    /// Ended gracefully.
    Stopped,
    /// Killed, or died by itself.
    Dead,
}

/// Begin or end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultPhase {
    /// From now on.
    Begins,
    /// Until now.
    Ends,
}

/// One second of one client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Client (all members of a group together).
    pub client: String,
    /// Producer: messages sent in this second.
    pub sent: u64,
    /// Producer: messages acknowledged; consumer: delivered.
    pub done: u64,
    /// Producer: failed for good.
    pub failed: u64,
    /// Latency percentiles of this second in milliseconds: p50, p99, max (none without messages).
    pub latency_ms: Option<[f64; 3]>,
    /// `done` by partition (`orders/0`), with the partitions on which nothing happened in this second. Empty for a
    /// client of one partition, or of more than 64.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub partitions: IndexMap<String, u64>,
}
