//! The form of the JSON report. Its doc comments are the schema's descriptions.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A kplan run. Times are RFC 3339, durations are milliseconds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "kplan report")]
pub struct Report {
    /// `kplan-report/1`.
    pub format: String,
    /// The run's id.
    pub run: String,
    /// kplan's version.
    pub kplan: String,
    /// `docker`, `embedded`, `local`, `external`.
    pub backend: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// The command line, secrets masked.
    pub command: Vec<String>,
    /// `failed` if a suite that counts failed, else `broken` if one broke; `broken` for a run that was killed or interrupted.
    pub verdict: Outcome,
    /// Begin.
    pub started: String,
    /// How long it took, or until its last event.
    pub took_ms: u64,
    /// Exit status; none for a killed run.
    pub exit: Option<u8>,
    /// The signal that interrupted it.
    pub signal: Option<String>,
    /// The run was killed before its end.
    pub killed: bool,
    /// What went wrong with the run itself.
    pub trouble: Option<String>,
    /// The most attempts of a suite: `--retries` plus one.
    pub attempts: u32,
    /// Suites that failed and passed on a retry.
    pub suites_flaky: u32,
    /// Suites that were not started.
    pub suites_not_begun: u32,
    /// Lines of the events' file that could not be read.
    pub damaged_lines: u64,
    /// The runs that this report was merged from (`kplan report --merge`); empty for a report of one run. Then `run` has the
    /// ids of all, and `seed` and `command` are those of the first.
    pub merged: Vec<MergedPart>,
    /// Every suite, earlier attempts included.
    pub suites: Vec<Suite>,
}

/// One of the runs of a merged report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MergedPart {
    /// Its id.
    pub run: String,
    /// Seed of its random choices.
    pub seed: u64,
    /// Its directory.
    pub dir: String,
    /// Its own verdict.
    pub verdict: Outcome,
}

/// `passed`, `failed` (Kafka or the plan's expectation), `broken` (the rig), `skipped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out and, if judged, held.
    Passed,
    /// An expectation did not hold, ran out of time, or its evidence was missing.
    Failed,
    /// The rig failed.
    Broken,
    /// It did not run.
    Skipped,
}

/// One plan in one matrix cell.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Suite {
    /// Number within the run, from 1.
    pub number: u32,
    /// Its run's id.
    pub run: String,
    /// Seed of its run's random choices.
    pub seed: u64,
    /// The plan's name.
    pub name: String,
    /// The matrix cell, e.g. `version=4.1.1`; empty without a matrix.
    pub cell: String,
    /// Repetition of `--repeat`, from 1.
    pub round: u32,
    /// Attempt of `--retries`, from 1.
    pub attempt: u32,
    /// It failed in an earlier attempt and passed in this one.
    pub flaky: bool,
    /// False for an attempt that a later one replaced.
    pub counts: bool,
    /// The plan's file.
    pub file: String,
    /// The plan's tags.
    pub tags: Vec<String>,
    /// Parameters, secrets masked.
    pub params: IndexMap<String, String>,
    /// The cluster: version, mode, brokers, image.
    pub cluster: IndexMap<String, String>,
    /// The backend is a simulation.
    pub simulated: bool,
    /// The verdict.
    pub verdict: Outcome,
    /// The run was killed before the suite's end.
    pub interrupted: bool,
    /// Begin.
    pub started: String,
    /// How long it took.
    pub took_ms: u64,
    /// Everything that went wrong.
    pub troubles: Vec<Trouble>,
    /// The counts that are known, of all topics and clients: `lost`, `acked` ...
    pub totals: IndexMap<String, u64>,
    /// Every recorded value, the newest of each name.
    pub values: IndexMap<String, Value>,
    /// Every step in the order of the file.
    pub steps: Vec<Step>,
    /// Faults in the order they began.
    pub faults: Vec<Fault>,
    /// Measured time spans: recovery, unavailability.
    pub measured: Vec<Measured>,
    /// Anomalies of the log above zero.
    pub anomalies: Vec<Anomaly>,
    /// Leaders that may have lacked committed messages when they were elected, in the order of time.
    pub unclean_elections: Vec<UncleanElection>,
    /// Settings in effect: by node, topic (`topic orders`) and for the cluster's `features`.
    pub settings: IndexMap<String, IndexMap<String, String>>,
}

/// A leader that may have lacked committed messages when it was elected.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UncleanElection {
    /// When it was seen.
    pub at: String,
    /// Topic and partition, e.g. `orders/0`.
    pub place: String,
    /// The new leader.
    pub leader: u32,
    /// Its epoch.
    pub epoch: Option<i32>,
    /// The replicas that were in sync before.
    pub in_sync_before: Vec<u32>,
}

/// Something that went wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Trouble {
    /// What kind.
    pub kind: Kind,
    /// The step's title, or what it is about.
    pub title: String,
    /// Expected and found in one line, or the rig's error.
    pub message: String,
    /// The step's id; none for trouble of the whole suite.
    pub step: Option<String>,
    /// The plan's file.
    pub file: String,
    /// The plan's line, from 1.
    pub line: u32,
    /// An optional step's failure: does not fail the plan.
    pub optional: bool,
    /// Evidence that belongs to no condition.
    pub evidence: Vec<String>,
}

/// Kind of trouble.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An expectation did not hold.
    Failed,
    /// The evidence for a judgement was missing.
    Inconclusive,
    /// A limit ran out.
    Timeout,
    /// The rig failed.
    Broken,
}

/// One step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// Its id, e.g. `7.2`, with `#2` for the second round of a repeat.
    pub id: String,
    /// Its name, or a description of what it does.
    pub title: String,
    /// Its verb.
    pub verb: String,
    /// The plan's file.
    pub file: String,
    /// Its first line, from 1.
    pub line: u32,
    /// The verdict.
    pub verdict: Outcome,
    /// Its failure does not fail the plan.
    pub optional: bool,
    /// Begin; none when it never began.
    pub began: Option<String>,
    /// How long it took.
    pub took_ms: u64,
    /// The rig's error, or why it was skipped.
    pub reason: Option<String>,
    /// What was judged, in the plan's order.
    pub conditions: Vec<Condition>,
    /// Targets and the nodes that they selected.
    pub targets: BTreeMap<String, Vec<String>>,
    /// Values it recorded.
    pub recorded: IndexMap<String, Value>,
    /// Descriptions it put into the report, as Markdown by title.
    pub descriptions: IndexMap<String, String>,
}

/// A condition and how it was judged.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Condition {
    /// As in the plan.
    pub condition: String,
    /// Its line in the plan.
    pub line: u32,
    /// How it was judged.
    pub judged: Judged,
    /// What was expected.
    pub expected: String,
    /// What was found; for `inconclusive` what was missing.
    pub found: String,
    /// The messages, partitions or times that were found.
    pub evidence: Vec<String>,
    /// When it first held, after the step's begin.
    pub after_ms: Option<u64>,
}

/// How a condition was judged.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// It holds.
    Holds,
    /// It does not hold.
    DoesNotHold,
    /// The evidence to judge it was missing.
    Inconclusive,
    /// Recorded, not judged.
    Recorded,
}

/// A fault in effect.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Fault {
    /// The step that made it.
    pub step: String,
    /// Its description.
    pub what: String,
    /// Begin.
    pub began: String,
    /// End; none if it was not recorded.
    pub ended: Option<String>,
    /// A limit of what it proves.
    pub caution: Option<String>,
}

/// A time span that a condition measured.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Measured {
    /// `recovered`, `unavailable`.
    pub kind: String,
    /// The client.
    pub client: String,
    /// The worst partition, e.g. `orders/0`.
    pub place: Option<String>,
    /// Begin.
    pub began: String,
    /// End; none when it was still open.
    pub ended: Option<String>,
    /// How long, an open one until the suite's end.
    pub took_ms: u64,
}

/// An anomaly of the log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Anomaly {
    /// Its name in the plan language, e.g. `lost`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// Where.
    pub by: Vec<Place>,
    /// Examples; not all of them.
    pub examples: Vec<Example>,
    /// For `lost`: where the messages are on the brokers' disks; none if those could not be read.
    pub on_disk: Option<OnDisk>,
}

/// Where lost messages are on the brokers' disks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OnDisk {
    /// On no disk, and every disk was read.
    pub gone: u64,
    /// Still on a disk, but not readable by consumers.
    pub cut_off: u64,
    /// By broker and its state: how many of them it holds.
    pub holders: BTreeMap<String, u64>,
    /// Disks that could not be read, and why.
    pub unread: Vec<String>,
}

/// The place of an anomaly.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Place {
    /// Topic and partition, e.g. `orders/0`.
    pub place: String,
    /// Client or group.
    pub client: String,
    /// How many.
    pub count: u64,
}

/// One message that an anomaly is about, or several that follow on one another.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Example {
    /// Topic and partition.
    pub place: String,
    /// Offset, where known.
    pub offset: Option<i64>,
    /// Producing client.
    pub client: Option<String>,
    /// Its life.
    pub life: Option<u16>,
    /// Sequence.
    pub sequence: Option<u64>,
    /// How many messages, with offsets and sequences that follow on these.
    pub count: u64,
    /// When it was acknowledged or delivered.
    pub at: Option<String>,
    /// Description.
    pub text: String,
}
