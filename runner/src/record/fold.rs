//! Folds events into a record.

use std::{collections::HashMap, path::PathBuf};

use indexmap::IndexMap;
use kplan_dsl::steps::Repeat;

use super::{
    FaultSpan, KILLED_STEP, Line, PartitionState, PartitionTrack, ProcessLane, RunEnd, RunRecord,
    StepRecord, SuiteRecord,
};
use crate::{
    event::{
        Event, FaultId, FaultPhase, LaneState, Stamped, StepEnded, StepInfo, StepRun, SuiteId,
        SuiteStarted, Verdict, complete,
    },
    history::RunClock,
};

/// The longest time by which the event of a process that is down may precede the event of its fault.
const BITE_US: i64 = 5_000_000;

impl RunRecord {
    /// Folds events; none when no run begins among them. Events may come a little out of order:
    /// everything is sorted by its own time.
    pub fn fold(events: impl IntoIterator<Item = Stamped>) -> Option<Self> {
        let mut record: Option<Self> = None;
        for stamped in events {
            match (&mut record, stamped) {
                (None, Stamped { at, mono_us, event: Event::RunStarted(info), .. }) => {
                    record = Some(Self {
                        dir: PathBuf::new(),
                        info,
                        started_us: mono_us,
                        last_us: mono_us,
                        ended: None,
                        suites: Vec::new(),
                        damaged_lines: 0,
                        merged: Vec::new(),
                        clock: RunClock { mono_us, wall_us: at.as_microsecond() },
                    });
                }
                (None, _) => {}
                (Some(record), stamped) => record.apply(stamped),
            }
        }
        let mut record = record?;
        let ended_us = record.ended.as_ref().map(|end| end.at_us);
        record.suites.sort_by_key(|s| s.number);
        record.suites.iter_mut().for_each(|suite| suite.finish(ended_us));
        Some(record)
    }

    fn apply(&mut self, Stamped { mono_us: at, suite, event, .. }: Stamped) {
        self.last_us = self.last_us.max(at);
        match event {
            Event::RunStarted(_) => {}
            Event::RunEnded { exit, signal } => {
                self.ended = Some(RunEnd { at_us: at, exit, signal });
            }
            Event::SuiteStarted(info) => {
                let Some(number) = suite else { return };
                if self.suite(number).is_none() {
                    // Suites that run side by side may begin in any order; reports keep the plans' order.
                    let place = self.suites.partition_point(|s| s.number < number);
                    let suite = SuiteRecord::begin(number, *info, at, self);
                    self.suites.insert(place, suite);
                }
            }
            other => {
                if let Some(suite) = self.suites.iter_mut().find(|s| Some(s.number) == suite) {
                    suite.last_us = suite.last_us.max(at);
                    suite.apply(at, complete(other));
                }
            }
        }
    }
}

impl SuiteRecord {
    fn begin(number: SuiteId, info: SuiteStarted, at: i64, run: &RunRecord) -> Self {
        let steps = info.steps.iter().map(|s| StepRecord::new(s.id.clone(), s.clone()));
        Self {
            steps: steps.collect(),
            number,
            run: run.info.run.clone(),
            seed: run.info.seed,
            dir: PathBuf::new(),
            clock: run.clock,
            info,
            started_us: at,
            ended_us: None,
            last_us: at,
            verdict: Verdict::Broken,
            reasons: Vec::new(),
            lanes: Vec::new(),
            partitions: Vec::new(),
            controllers: Vec::new(),
            samples: IndexMap::new(),
            faults: Vec::new(),
            spans: Vec::new(),
            anomalies: Vec::new(),
            reports: Vec::new(),
            notes: Vec::new(),
            configured: IndexMap::new(),
            audits: Vec::new(),
        }
    }

    fn apply(&mut self, at: i64, event: Event) {
        match event {
            Event::StepListed { step, info } => self.steps.push(StepRecord::new(step, *info)),
            Event::StepStarted { step } => self.step_mut(&step).started_us = Some(at),
            Event::StepEnded(end) => self.end_step(at, *end),
            Event::TargetResolved { step, target, nodes } => {
                self.step_mut(&step).targets.push((target, nodes));
            }
            Event::Recorded { step, values } => self.step_mut(&step).recorded.extend(values),
            Event::Described { step, title, text } => {
                self.step_mut(&step).descriptions.push((title, text));
            }
            Event::Node { node, state, why } => {
                self.lane(node, false).states.push((at, state, why));
            }
            Event::Client { client, state, why, .. } => {
                self.lane(client, true).states.push((at, state, why));
            }
            Event::Fault { id, step, phase, kind, what } => {
                let fault = FaultSpan { id, kind, step, what, from_us: at, until_us: None };
                match phase {
                    FaultPhase::Begins => self.faults.push(fault),
                    FaultPhase::Ends => self.ends(at, &fault),
                }
            }
            Event::Partition { topic, partition, leader, epoch, in_sync, replicas, unclean } => {
                let state = PartitionState { at_us: at, leader, epoch, in_sync, replicas, unclean };
                self.partition(topic, partition).states.push(state);
            }
            Event::Controller { controller } => self.controllers.push((at, controller)),
            Event::Sample(sample) => {
                self.samples.entry(sample.client.clone()).or_default().push((at, sample));
            }
            Event::Report { who, text } => self.reports.push(Line { at_us: at, who, text }),
            Event::Note { step, text } => {
                self.notes.push(Line { at_us: at, who: step, text });
            }
            Event::Anomaly(anomaly) => self.anomalies.push(*anomaly),
            Event::Span(span) => self.spans.push(*span),
            Event::Audited { messages, took_ms, .. } => self.audits.push((at, messages, took_ms)),
            Event::Configured { who, settings } => {
                self.configured.entry(who).or_default().extend(settings);
            }
            Event::SuiteEnded { verdict, reasons } => {
                self.ended_us = Some(at);
                self.verdict = verdict;
                self.reasons = reasons;
            }
            Event::RunStarted(_) | Event::RunEnded { .. } | Event::SuiteStarted(_) => {}
        }
    }

    /// The step of an id; an unlisted step is added.
    fn step_mut(&mut self, id: &StepRun) -> &mut StepRecord {
        if let Some(known) = self.steps.iter().position(|s| s.id == *id) {
            return &mut self.steps[known];
        }
        let base = id.first();
        let info = self.info.steps.iter().find(|s| s.id == base).cloned();
        let info = info.unwrap_or_else(|| self.unlisted(&base));
        self.steps.push(StepRecord::new(id.clone(), info));
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn unlisted(&self, id: &StepRun) -> StepInfo {
        let parent = id.around().find_map(|up| self.info.steps.iter().find(|s| s.id == up));
        StepInfo {
            id: id.clone(),
            title: format!("step {id}"),
            verb: String::new(),
            file: parent.map_or_else(|| self.info.file.clone(), |p| p.file.clone()),
            line: parent.map_or(1, |p| p.line),
            end_line: parent.map_or(1, |p| p.end_line),
            finally: parent.is_some_and(|p| p.finally),
            fault: false,
        }
    }

    fn end_step(&mut self, at: i64, end: StepEnded) {
        let step = self.step_mut(&end.step);
        step.ended_us = Some(at);
        step.verdict = end.verdict;
        step.took_ms = end.took_ms;
        step.findings = end.findings;
        step.reason = end.reason;
        step.optional = end.optional;
        step.timed_out = end.timed_out;
        step.cause = end.cause;
    }

    fn lane(&mut self, name: String, client: bool) -> &mut ProcessLane {
        let known = self.lanes.iter().position(|l| l.name == name && l.client == client);
        let at = known.unwrap_or_else(|| {
            self.lanes.push(ProcessLane { name, client, states: Vec::new() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    fn partition(&mut self, topic: String, partition: u32) -> &mut PartitionTrack {
        let known =
            self.partitions.iter().position(|p| p.partition == partition && p.topic == topic);
        let at = known.unwrap_or_else(|| {
            self.partitions.push(PartitionTrack { topic, partition, states: Vec::new() });
            self.partitions.len() - 1
        });
        &mut self.partitions[at]
    }

    /// An end closes its fault; in a run that did not number them, the oldest one of its step and words that is open.
    fn ends(&mut self, at: i64, fault: &FaultSpan) {
        let mut open = self.faults.iter_mut().filter(|f| f.until_us.is_none());
        let is_it = |f: &&mut FaultSpan| match fault.id {
            FaultId(0) => f.step == fault.step && f.what == fault.what,
            id => f.id == id,
        };
        if let Some(open) = open.find(is_it) {
            open.until_us = Some(at);
        }
    }

    /// When every process that a fault's step took down was up again; none while one is not. The event of a
    /// client's start does not contain which fault it ends.
    fn back_again(&self, fault: &FaultSpan) -> Option<i64> {
        let struck = self.lanes.iter().filter_map(|lane| {
            let down = lane.states.iter().position(|(at, state, why)| {
                let up = matches!(state, LaneState::Up | LaneState::Starting);
                *at >= fault.from_us - BITE_US && !up && why.by.as_ref() == Some(&fault.step)
            })?;
            Some(lane.states[down..].iter().find(|s| s.1 == LaneState::Up).map(|s| s.0))
        });
        struck.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Sorts everything by its time and judges what a killed run left open.
    fn finish(&mut self, run_ended_us: Option<i64>) {
        let keys = step_keys(self);
        self.steps.sort_by(|a, b| keys[&a.id].cmp(&keys[&b.id]));
        self.lanes.iter_mut().for_each(|l| l.states.sort_by_key(|s| s.0));
        self.lanes.sort_by_key(|l| l.client);
        self.partitions.iter_mut().for_each(|p| p.states.sort_by_key(|s| s.at_us));
        self.partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        self.samples.values_mut().for_each(|points| points.sort_by_key(|p| p.0));
        self.controllers.sort_by_key(|c| c.0);
        self.faults.sort_by_key(|f| f.from_us);
        let ends: Vec<_> = self.faults.iter().map(|f| f.until_us.or(self.back_again(f))).collect();
        self.faults.iter_mut().zip(ends).for_each(|(fault, end)| fault.until_us = end);
        let killed = self.ended_us.is_none();
        let last = run_ended_us.unwrap_or(self.last_us).max(self.last_us);
        for step in self.steps.iter_mut().filter(|s| s.ended_us.is_none()) {
            match step.started_us {
                Some(began) if killed => {
                    step.verdict = Verdict::Broken;
                    step.took_ms = u64::try_from((last - began) / 1000).unwrap_or(0);
                    step.reason = Some(KILLED_STEP.to_owned());
                }
                Some(_) => {
                    step.verdict = Verdict::Broken;
                    step.reason = Some("the suite ended during this step".to_owned());
                }
                None if killed => {
                    step.reason = Some("the run was killed before this step".to_owned());
                }
                None => step.reason = Some("the suite ended before this step".to_owned()),
            }
        }
    }
}

impl StepRecord {
    fn new(id: StepRun, info: StepInfo) -> Self {
        Self {
            id,
            info,
            started_us: None,
            ended_us: None,
            verdict: Verdict::Skipped,
            took_ms: 0,
            findings: Vec::new(),
            reason: None,
            optional: false,
            timed_out: false,
            cause: None,
            targets: Vec::new(),
            recorded: IndexMap::new(),
            descriptions: Vec::new(),
        }
    }

    /// Its title, and in which round: `Kill broker 2 (round 3)`, `(round 3.1)` in a repeat's repeat.
    pub fn title(&self) -> String {
        match self.id.round() {
            round if round.is_empty() => self.info.title.clone(),
            round => format!("{} ({round})", self.info.title),
        }
    }
}

/// Where each step stands: the order of the file, and within one repeat its rounds one after the other.
/// A key is a (round, position) for each container from the outside in, and for the step itself.
fn step_keys(suite: &SuiteRecord) -> HashMap<StepRun, Vec<(u32, usize)>> {
    let order: HashMap<&StepRun, usize> =
        suite.info.steps.iter().enumerate().map(|(at, s)| (&s.id, at)).collect();
    let key = |(at, step): (usize, &StepRecord)| {
        let mut containers: Vec<usize> =
            step.info.id.around().filter_map(|up| order.get(&up).copied()).collect();
        containers.reverse();
        let own = order.get(&step.info.id).copied().unwrap_or(order.len() + at);
        let mut rounds = step.id.rounds().iter().copied();
        let mut round = 1;
        let mut key = Vec::new();
        for place in containers.into_iter().chain([own]) {
            key.push((round, place));
            let repeats = suite.info.steps.get(place).is_some_and(|s| s.verb == Repeat::INFO.word);
            round = if repeats { rounds.next().unwrap_or(1) } else { 1 };
        }
        (step.id.clone(), key)
    };
    suite.steps.iter().enumerate().map(key).collect()
}
