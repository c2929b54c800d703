//! The timeline: the state of each broker and client at each step.

use super::lanes::Lanes;
use super::minutes::rounds;
use crate::facts::{Kind, LaneMark};
use crate::plan::{Plan, Step};

/// Lanes over step numbers.
pub(super) struct Timeline {
    /// The numbers of the steps, with their titles.
    pub steps: Vec<(String, String)>,
    pub lanes: Vec<PlanLane>,
    /// True if the plan has more steps than are shown.
    pub cut: bool,
}

/// One broker or client.
pub(super) struct PlanLane {
    pub name: String,
    /// Its state during each step.
    pub states: Vec<LaneMark>,
}

/// The greatest number of steps of a timeline.
const MOST_STEPS: usize = 120;

impl Timeline {
    /// The timeline of a plan's steps, without those of `finally`.
    pub fn of(plan: &Plan) -> Self {
        let mut lanes = Lanes::of(plan.existing.as_ref());
        let mut shown = Vec::new();
        let cut = !add(&plan.steps, &mut lanes, &mut shown);
        let count = shown.len();
        Self { steps: shown, lanes: lanes.finished(count), cut }
    }

    /// True if there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() || self.steps.is_empty()
    }
}

/// Follows steps. False if there are more than can be shown.
fn add(steps: &[Step], lanes: &mut Lanes, shown: &mut Vec<(String, String)>) -> bool {
    steps.iter().all(|step| {
        let inside = |lanes: &mut Lanes, shown: &mut Vec<(String, String)>| {
            rounds(step).into_iter().all(|steps| add(steps, lanes, shown))
        };
        if step.verb().is_some() && step.head.facts.kind == Kind::Flow {
            return inside(lanes, shown);
        }
        if shown.len() == MOST_STEPS {
            return false;
        }
        shown.push((step.head.id.to_string(), step.title()));
        let skipped = step.head.when.as_ref().is_some_and(|w| w.known() == Some(false));
        if let Some(verb) = step.verb().filter(|_| !skipped) {
            let changed = lanes.begin(verb);
            let all = inside(lanes, shown);
            lanes.end(verb, &changed);
            return all;
        }
        lanes.nothing();
        inside(lanes, shown)
    })
}

impl PlanLane {
    /// The periods of one state: the state, its first step and the step after its last.
    pub fn stretches(&self) -> Vec<(LaneMark, usize, usize)> {
        let mut all: Vec<(LaneMark, usize, usize)> = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            match all.last_mut() {
                Some((last, _, end)) if last == state => *end = index + 1,
                _ => all.push((*state, index, index + 1)),
            }
        }
        all
    }
}
