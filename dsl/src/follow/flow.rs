//! Steps that hold steps, and the time that steps take.

use std::time::Duration;

use super::Follow;
use crate::ground::KnownState;
use crate::plan::{Action, Step};
use crate::steps::{Repeat, Verb, Wait};

/// How many rounds of a loop are followed: what changes from round to round shows early.
const ROUNDS: usize = 3;

impl Verb {
    /// True if it holds steps of its own.
    pub const fn is_flow(&self) -> bool {
        matches!(self, Self::Repeat(_) | Self::Parallel(_) | Self::Include(_))
    }
}

impl Step {
    /// The lists of steps that it holds: rounds, branches, an included file, what a fault has `during` it.
    pub fn children(&self) -> Vec<&[Self]> {
        match self.verb() {
            Some(Verb::Repeat(it)) => {
                let mut all: Vec<&[Self]> = it.rounds.iter().map(|r| &*r.steps).collect();
                all.dedup_by(|a, b| std::ptr::eq(*a, *b));
                all
            }
            Some(Verb::Parallel(it)) => it.branches.iter().map(|b| b.steps.as_slice()).collect(),
            Some(Verb::Include(it)) => vec![it.steps.as_slice()],
            _ => Some(self.during()).filter(|d| !d.is_empty()).into_iter().collect(),
        }
    }

    /// The steps of its `during`, also where its other arguments are known only when it runs.
    pub fn during(&self) -> &[Self] {
        match &self.action {
            Action::Ready(verb) => verb.during(),
            Action::Late(late) => &late.during,
        }
    }
}

impl<'p> Follow<'p> {
    pub(super) fn flow_step(&mut self, step: &'p Step, verb: &'p Verb) {
        if let Some(lasting) = verb.lasting().filter(|l| l.passes()) {
            self.lasting(step, verb, lasting);
        }
        match verb {
            Verb::Repeat(it) => self.repeat(it),
            Verb::Parallel(it) => {
                let (before, least) = (self.ground.state.clone(), self.least);
                let mut states: Vec<KnownState> = Vec::with_capacity(it.branches.len());
                let mut longest = least;
                let beside = std::mem::replace(&mut self.beside, true);
                for branch in &it.branches {
                    self.least = least;
                    self.ground.state = before.clone();
                    self.steps(&branch.steps);
                    longest = longest.max(self.least);
                    states.push(std::mem::take(&mut self.ground.state));
                }
                self.ground.state = KnownState::join_branches(&before, states);
                self.least = longest;
                self.beside = beside;
            }
            Verb::Include(it) => self.steps(&it.steps),
            // A command may make topics that nobody here knows of.
            Verb::Run(_) => self.ground.state.topics_unknown = true,
            Verb::Chaos(it) => {
                for fault in it.faults.iter() {
                    if let Some(target) = fault.verb.target() {
                        self.ground.target(target);
                    }
                }
                self.takes(it.for_time.value);
                self.chaos_of_nothing(it);
            }
            Verb::Consume(it) => self.expects_nothing(it),
            Verb::Wait(it) => {
                if let Wait::Pause(time) = &**it {
                    self.takes(time.value);
                }
            }
            Verb::Assert(it) => {
                if let Some(time) = &it.for_time {
                    self.takes(time.value);
                }
            }
            Verb::RestartBroker(it) => {
                let times = match (it.rolling, &self.ground.state.cluster) {
                    (true, Some(cluster)) if it.broker.value == crate::value::Target::All => {
                        cluster.brokers
                    }
                    _ => 1,
                };
                self.takes(it.down_for.saturating_mul(times));
            }
            _ => {}
        }
    }

    pub(super) fn takes(&mut self, time: Duration) {
        self.least = self.least.saturating_add(time);
    }

    fn repeat(&mut self, it: &'p Repeat) {
        for round in it.rounds.iter().take(ROUNDS) {
            let before = self.least;
            self.steps(&round.steps);
            let one = self.least.saturating_sub(before);
            if it.rounds.len() > ROUNDS && std::ptr::eq(round, &it.rounds[ROUNDS - 1]) {
                let more = u32::try_from(it.rounds.len() - ROUNDS).unwrap_or(u32::MAX);
                self.takes(one.saturating_mul(more));
            }
        }
    }
}
