//! When the steps of a suite ran, what they meant and what they measured.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::Node,
    event::{Measurement, StepRun, Stretch},
};

/// When the newest run of a step began and ended.
#[derive(Clone, Copy, Debug)]
pub struct StepTimes {
    /// Begin, monotonic microseconds.
    pub began_us: i64,
    /// End; none while it runs.
    pub ended_us: Option<i64>,
}

/// The steps that have begun.
#[derive(Default)]
pub struct StepTimeline(Mutex<Begun>);

#[derive(Default)]
struct Begun {
    steps: BTreeMap<StepRun, StepTimes>,
    /// The newest run of each named step.
    named: BTreeMap<String, StepRun>,
    newest: Option<StepRun>,
    resolved: BTreeMap<StepRun, Vec<Node>>,
    measured: BTreeMap<(StepRun, Stretch, String), Measurement>,
}

impl StepTimeline {
    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().expect("no holder panics")
    }

    pub(super) fn began(&self, id: &StepRun, name: Option<&str>, began_us: i64) {
        let mut begun = self.begun();
        begun.steps.insert(id.clone(), StepTimes { began_us, ended_us: None });
        begun.newest = Some(id.clone());
        if let Some(name) = name {
            begun.named.insert(name.to_owned(), id.clone());
        }
    }

    pub fn ended(&self, id: &StepRun, ended_us: i64) {
        if let Some(times) = self.begun().steps.get_mut(id) {
            times.ended_us = Some(ended_us);
        }
    }

    /// When the newest run of a step began and ended.
    pub fn times(&self, id: &StepRun) -> Option<StepTimes> {
        self.begun().steps.get(id).copied()
    }

    /// The newest run of a named step.
    pub fn named(&self, name: &str) -> Option<StepRun> {
        self.begun().named.get(name).cloned()
    }

    /// Whether a named step has begun.
    pub fn has_begun(&self, name: &str) -> bool {
        self.named(name).is_some()
    }

    /// Whether a named step has ended.
    pub fn has_ended(&self, name: &str) -> bool {
        let times = self.named(name).and_then(|id| self.times(&id));
        times.is_some_and(|times| times.ended_us.is_some())
    }

    /// The step that began last.
    pub fn newest(&self) -> Option<StepRun> {
        self.begun().newest.clone()
    }

    /// Records which nodes a step's target selected, for `same_as`.
    pub fn resolved(&self, step: &StepRun, nodes: &[Node]) {
        self.begun().resolved.insert(step.clone(), nodes.to_vec());
    }

    /// The nodes that a step's target selected.
    pub fn resolved_by(&self, step: &StepRun) -> Option<Vec<Node>> {
        self.begun().resolved.get(step).cloned()
    }

    /// A stretch of time that a condition measured; the newest of each kind is reported when its step ends.
    pub fn measured(&self, one: Measurement) {
        let key = (one.step.clone(), one.kind, one.client.clone());
        self.begun().measured.insert(key, one);
    }

    /// Takes what a step measured.
    pub(super) fn take_measured(&self, step: &StepRun) -> Vec<Measurement> {
        let mut begun = self.begun();
        let all = std::mem::take(&mut begun.measured);
        let (own, others) = all.into_iter().partition(|(key, _)| key.0 == *step);
        begun.measured = others;
        let own: BTreeMap<_, Measurement> = own;
        own.into_values().collect()
    }
}
