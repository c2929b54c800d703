//! Who is in which state at which step: brokers, clients and the faults between them.

use super::lanes::{Lanes, State};
use super::minutes::flat;
use crate::plan::{Plan, Step};

/// Lanes over step numbers.
pub(super) struct Timeline {
    /// The numbers of the steps, with what each does.
    pub steps: Vec<(String, String)>,
    pub lanes: Vec<Lane>,
    /// True if the plan has more steps than are shown.
    pub cut: bool,
}

/// One broker or client.
pub(super) struct Lane {
    pub name: String,
    /// Its state while each step is done.
    pub states: Vec<State>,
}

/// The most steps of a timeline.
const MOST_STEPS: usize = 120;

impl Timeline {
    /// That of a plan's steps; what `finally` does is told in words.
    pub fn of(plan: &Plan) -> Self {
        let mut lanes = Lanes::default();
        let mut all: Vec<&Step> = flat(&plan.steps);
        all.retain(|step| !step.verb().is_some_and(crate::Verb::is_flow));
        let cut = all.len() > MOST_STEPS;
        all.truncate(MOST_STEPS);
        for step in &all {
            let skipped = step.head.when.as_ref().is_some_and(|w| w.known() == Some(false));
            match step.verb().filter(|_| !skipped) {
                Some(verb) => lanes.step(verb),
                None => lanes.nothing(),
            }
        }
        let steps = all.iter().map(|s| (s.head.id.to_string(), s.title())).collect();
        Self { steps, lanes: lanes.finished(all.len()), cut }
    }

    /// True if there is nobody to show.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() || self.steps.is_empty()
    }
}

impl Lane {
    /// Stretches of one state: the state, its first step and the step behind its last.
    pub fn stretches(&self) -> Vec<(State, usize, usize)> {
        let mut all: Vec<(State, usize, usize)> = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            match all.last_mut() {
                Some((last, _, end)) if last == state => *end = index + 1,
                _ => all.push((*state, index, index + 1)),
            }
        }
        all
    }
}
