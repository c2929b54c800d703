//! The run's record, folded from its events: every report is a function of it.
//!
//! A run that was killed has a record too: its events are kept, the running steps are
//! [`Verdict::Broken`], and steps that did not run are [`Verdict::Skipped`].

mod ending;
mod fault;
mod fold;
mod log;
mod merge;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

pub use self::{
    fault::FaultSpan,
    log::{EventLog, LogError, Read, read_events},
    merge::{MergedRun, NotParts},
};
use crate::{
    event::{
        Anomaly, Finding, LaneState, Measurement, Reason, RunStarted, Sample, SettingsOf, StepInfo,
        StepRun, SuiteId, SuiteStarted, Verdict, Why,
    },
    history::RunClock,
    rundir::EVENTS,
};

/// The reason of a step that was running when its run was killed.
pub const KILLED_STEP: &str = "the run was killed during this step";

/// A whole run. All times `*_us` are monotonic microseconds; [`SuiteRecord::wall`] turns them into
/// wall-clock time.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The run's directory; empty for a record that was not read from one.
    pub dir: PathBuf,
    /// What the run was started with.
    pub info: RunStarted,
    /// First event.
    pub started_us: i64,
    /// Last event.
    pub last_us: i64,
    /// The end; none for a run that was killed.
    pub ended: Option<RunEnd>,
    /// The suites in the order of their numbers.
    pub suites: Vec<SuiteRecord>,
    /// Lines that could not be read (torn by a full disk or a kill).
    pub damaged_lines: u64,
    /// The runs that this record was merged from; empty for the record of one run.
    pub merged: Vec<MergedRun>,
    clock: RunClock,
}

/// How a run ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub at_us: i64,
    /// Exit status.
    pub exit: u8,
    /// Interrupted by this signal.
    pub signal: Option<String>,
}

/// One plan in one matrix cell.
#[derive(Clone, Debug)]
pub struct SuiteRecord {
    /// Its number within the run, from 1.
    pub number: SuiteId,
    /// Its run's id.
    pub run: String,
    /// Seed of its run's random choices.
    pub seed: u64,
    /// Its own directory; empty for a record that was not read from one.
    pub dir: PathBuf,
    /// What it was started with.
    pub info: SuiteStarted,
    /// Begin.
    pub started_us: i64,
    /// End; none when the run was killed before.
    pub ended_us: Option<i64>,
    /// Its last event.
    pub last_us: i64,
    /// The verdict; [`Verdict::Broken`] when the run was killed before the suite's end.
    pub verdict: Verdict,
    /// Adds reasons that belong to no step.
    pub reasons: Vec<Reason>,
    /// Every step, in the order of the file, a repeat's rounds one after the other.
    pub steps: Vec<StepRecord>,
    /// Brokers, controllers, ZooKeeper nodes, then clients, in the order of their first event.
    pub lanes: Vec<ProcessLane>,
    /// Partitions by topic and number.
    pub partitions: Vec<PartitionTrack>,
    /// The controller over time.
    pub controllers: Vec<(i64, Option<u32>)>,
    /// Traffic by client, in the order of their first sample; points sorted by time.
    pub samples: IndexMap<String, Vec<(i64, Sample)>>,
    /// Faults in the order they began.
    pub faults: Vec<FaultSpan>,
    /// Measured time spans: recovery, unavailability.
    pub spans: Vec<Measurement>,
    /// Anomalies, in the order they were found.
    pub anomalies: Vec<Anomaly>,
    /// What clients and nodes reported: time, client or node, text.
    pub reports: Vec<Line<String>>,
    /// Notes of the plan: when, which step, what.
    pub notes: Vec<Line<StepRun>>,
    /// Effective settings, by their owner.
    pub configured: IndexMap<SettingsOf, IndexMap<String, String>>,
    /// Audits: when, messages found, milliseconds.
    pub audits: Vec<(i64, u64, u64)>,
    clock: RunClock,
}

/// One step (of one round of a repeat).
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// Which, in which round.
    pub id: StepRun,
    /// As in the plan.
    pub info: StepInfo,
    /// Begin; none when it never began.
    pub started_us: Option<i64>,
    /// End; none when it never ended.
    pub ended_us: Option<i64>,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// What was judged.
    pub findings: Vec<Finding>,
    /// Why it did not succeed, or was skipped, if no finding shows it.
    pub reason: Option<String>,
    /// A failure does not fail the plan.
    pub optional: bool,
    /// A limit ran out.
    pub timed_out: bool,
    /// The cause of its failure; none if findings show it.
    pub cause: Option<crate::event::Cause>,
    /// Targets and the nodes that they selected.
    pub targets: Vec<(String, Vec<String>)>,
    /// Values recorded by it.
    pub recorded: IndexMap<String, Value>,
    /// Descriptions (title, Markdown).
    pub descriptions: Vec<(String, String)>,
}

/// One process over time.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessLane {
    /// `broker 2`, `P`, `C/2`.
    pub name: String,
    /// A client, else a node of the cluster.
    pub client: bool,
    /// Changes: when, the new state, why.
    pub states: Vec<(i64, LaneState, Why)>,
}

/// One partition over time.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionTrack {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Changes, sorted by time.
    pub states: Vec<PartitionState>,
}

/// The state of a partition from a moment on.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    /// When.
    pub at_us: i64,
    /// Leader.
    pub leader: Option<u32>,
    /// Leader epoch.
    pub epoch: Option<i32>,
    /// In-sync replicas.
    pub in_sync: Vec<u32>,
    /// Replicas, the preferred leader first.
    pub replicas: Vec<u32>,
    /// The leader was elected uncleanly: these were in sync before, and it was not.
    pub unclean: Option<Vec<u32>>,
}

/// A leader that may have lacked committed messages when it was elected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncleanElection {
    /// When it was seen.
    pub at_us: i64,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The new leader.
    pub leader: u32,
    /// Its epoch, if that is reported.
    pub epoch: Option<i32>,
    /// The replicas that were in sync before.
    pub before: Vec<u32>,
}

impl UncleanElection {
    /// `orders/0`
    pub fn place(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    /// In words.
    pub fn words(&self) -> String {
        let epoch = self.epoch.map(|e| format!(" in epoch {e}")).unwrap_or_default();
        let before: Vec<String> = self.before.iter().map(u32::to_string).collect();
        let before = match before.len() {
            0 => "no replica was".to_owned(),
            1 => format!("{} was", before[0]),
            _ => format!("{} were", before.join(", ")),
        };
        format!(
            "unclean election of {}: broker {}, which was not in sync ({before}), became leader{epoch}",
            self.place(),
            self.leader
        )
    }
}

/// A text at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<W> {
    /// When.
    pub at_us: i64,
    /// The client, node or step.
    pub who: W,
    /// What.
    pub text: String,
}

impl RunRecord {
    /// Reads the record of a run from its directory, or from an `events.jsonl` itself.
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let file = if path.is_dir() { path.join(EVENTS) } else { path.to_owned() };
        if path.is_dir() && !file.exists() {
            return Err(LogError::NoRun { path: path.to_owned() });
        }
        let mut read = read_events(&file)?;
        let Some(mut record) = Self::fold(std::mem::take(&mut read.events)) else {
            // The file is read again: this is reported once, and the events need not be kept for it.
            let why = log::why_empty(&file, &read_events(&file)?);
            return Err(LogError::Empty { path: file, why });
        };
        record.damaged_lines = read.damaged_lines;
        record.set_dir(file.parent().unwrap_or(Path::new("")));
        Ok(record)
    }

    /// Its files, and those of its suites, are below this directory.
    pub fn set_dir(&mut self, dir: &Path) {
        self.dir = dir.to_owned();
        for suite in &mut self.suites {
            suite.dir = dir.join(&suite.info.dir);
        }
    }

    /// The version of the kplan that wrote it, if it is newer than this one.
    pub fn newer_kplan(&self) -> Option<&str> {
        Some(self.info.kplan.as_str()).filter(|version| log::is_newer(version))
    }

    /// When it began, by the wall clock.
    pub fn began(&self) -> Timestamp {
        wall(&self.clock, self.started_us)
    }

    /// The run was killed before its end.
    pub fn killed(&self) -> bool {
        self.ended.is_none()
    }

    /// How many suites never began.
    pub fn unstarted(&self) -> u32 {
        let begun = u32::try_from(self.decisive().count()).unwrap_or(u32::MAX);
        self.info.suites.saturating_sub(begun)
    }

    /// The verdict of the run, from the suites that count (a retried suite counts by its last attempt): a
    /// failed suite stays a finding even if another suite broke, so failed has priority over broken, as in the
    /// exit status. A killed or interrupted run is [`Verdict::Broken`].
    pub fn verdict(&self) -> Verdict {
        let interrupted = self.ended.as_ref().is_none_or(|end| end.signal.is_some());
        if interrupted || self.left_something() {
            return Verdict::Broken;
        }
        if self.failed_by_flaky() {
            return Verdict::Failed;
        }
        decided(&self.decisive().map(|s| s.verdict).collect::<Vec<_>>())
    }

    /// The suites that count: of each retried suite the last attempt.
    pub fn decisive(&self) -> impl Iterator<Item = &SuiteRecord> {
        self.suites.iter().filter(|suite| {
            !self
                .suites
                .iter()
                .any(|other| other.same_suite(suite) && other.info.attempt > suite.info.attempt)
        })
    }

    /// Earlier attempts of a retried suite, first attempt first.
    pub fn earlier_attempts(&self, suite: &SuiteRecord) -> Vec<&SuiteRecord> {
        let mut earlier: Vec<_> = self
            .suites
            .iter()
            .filter(|s| s.same_suite(suite) && s.info.attempt < suite.info.attempt)
            .collect();
        earlier.sort_by_key(|s| s.info.attempt);
        earlier
    }

    /// For a suite that failed before it passed: `flaky: passed on attempt 2 of 3`; for one that was retried
    /// without success: `attempt 3 of 3`.
    pub fn tried(&self, suite: &SuiteRecord) -> Option<String> {
        tried(suite.info.attempt, self.info.attempts, suite.verdict)
    }

    /// How many suites that count failed before they passed.
    pub fn flaky(&self) -> usize {
        self.decisive().filter(|suite| suite.is_flaky()).count()
    }

    /// A suite by its number.
    pub fn suite(&self, id: SuiteId) -> Option<&SuiteRecord> {
        self.suites.iter().find(|s| s.number == id)
    }
}

/// The text of [`RunRecord::tried`].
pub fn tried(attempt: u32, attempts: u32, verdict: Verdict) -> Option<String> {
    let flaky = if verdict == Verdict::Passed { "flaky: passed on " } else { "" };
    (attempt > 1).then(|| format!("{flaky}attempt {attempt} of {}", attempts.max(attempt)))
}

/// Wall-clock time of a monotonic time.
fn wall(clock: &RunClock, mono_us: i64) -> Timestamp {
    Timestamp::from_microsecond(clock.wall_us(mono_us)).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl SuiteRecord {
    /// Wall-clock time of a monotonic time of its machine.
    pub fn wall(&self, mono_us: i64) -> Timestamp {
        wall(&self.clock, mono_us)
    }

    /// It failed before it passed.
    pub fn is_flaky(&self) -> bool {
        self.info.attempt > 1 && self.verdict == Verdict::Passed
    }

    /// Name, matrix cell and repetition, as every report shows it.
    pub fn title(&self) -> String {
        let mut title = self.info.name.clone();
        if !self.info.cell.is_empty() {
            title.push_str(&format!(" [{}]", self.info.cell));
        }
        if self.info.repetition > 1 {
            title.push_str(&format!(" (round {})", self.info.repetition));
        }
        title
    }

    /// The run was killed before this suite's end.
    pub fn interrupted(&self) -> bool {
        self.ended_us.is_none()
    }

    /// The time of its last known event.
    pub fn until_us(&self) -> i64 {
        self.ended_us.unwrap_or(self.last_us).max(self.started_us)
    }

    /// How long it took, or until its last event, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        u64::try_from((self.until_us() - self.started_us) / 1000).unwrap_or(0)
    }

    /// Whether plan, cell and repetition are the same: another attempt of one suite.
    pub fn same_suite(&self, other: &Self) -> bool {
        (&self.info.file, &self.info.name, &self.info.cell, self.info.repetition)
            == (&other.info.file, &other.info.name, &other.info.cell, other.info.repetition)
    }

    /// Every value that was recorded, the newest of each name, and the counts of anomalies without a
    /// `record`.
    pub fn values(&self) -> IndexMap<String, Value> {
        let mut values = IndexMap::new();
        let mut steps: Vec<_> = self.steps.iter().collect();
        steps.sort_by_key(|s| s.ended_us.unwrap_or(i64::MAX));
        for (name, value) in steps.iter().flat_map(|s| &s.recorded) {
            values.insert(name.clone(), value.clone());
        }
        for anomaly in self.newest_anomalies() {
            values.entry(anomaly.kind).or_insert_with(|| anomaly.count.into());
        }
        values
    }

    /// One anomaly of each kind: the newest count of each topic and client, from any step.
    pub fn newest_anomalies(&self) -> Vec<Anomaly> {
        let mut newest: IndexMap<&str, Anomaly> = IndexMap::new();
        for anomaly in &self.anomalies {
            let known = newest.entry(&anomaly.kind);
            known.and_modify(|a| a.renew(anomaly)).or_insert_with(|| anomaly.clone());
        }
        newest.into_values().collect()
    }

    /// Every unclean election that was seen, in the order of time.
    pub fn unclean_elections(&self) -> Vec<UncleanElection> {
        let one = |track: &PartitionTrack, state: &PartitionState| {
            Some(UncleanElection {
                at_us: state.at_us,
                topic: track.topic.clone(),
                partition: track.partition,
                leader: state.leader?,
                epoch: state.epoch,
                before: state.unclean.clone()?,
            })
        };
        let mut all: Vec<_> = self
            .partitions
            .iter()
            .flat_map(|track| track.states.iter().filter_map(|state| one(track, state)))
            .collect();
        all.sort_by_key(|election| election.at_us);
        all
    }

    /// A step in one of its rounds.
    pub fn step(&self, id: &StepRun) -> Option<&StepRecord> {
        self.steps.iter().find(|s| s.id == *id)
    }

    /// The fault that was nearest in time; a fault that was in effect has priority.
    pub fn nearest_fault(&self, at_us: i64) -> Option<&FaultSpan> {
        let end = self.until_us();
        self.faults.iter().min_by_key(|fault| fault.distance_us(at_us, end))
    }
}

impl StepRecord {
    /// Findings that did not hold.
    pub fn misses(&self) -> impl Iterator<Item = &Finding> {
        use crate::event::Holds;
        self.findings.iter().filter(|f| matches!(f.holds, Holds::No | Holds::Inconclusive))
    }

    /// Whether it failed only because evidence was missing.
    pub fn inconclusive(&self) -> bool {
        use crate::event::Holds;
        let mut misses = self.misses().peekable();
        misses.peek().is_some() && misses.all(|f| f.holds == Holds::Inconclusive)
    }
}

/// The verdict that decides among several suites.
fn decided(suites: &[Verdict]) -> Verdict {
    let order = [Verdict::Failed, Verdict::Broken, Verdict::Passed];
    order.into_iter().find(|verdict| suites.contains(verdict)).unwrap_or(Verdict::Skipped)
}

#[cfg(test)]
mod tests;
