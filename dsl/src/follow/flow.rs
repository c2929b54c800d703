//! Steps that contain steps.

use super::Follow;
use crate::ground::{KnownState, Runs};
use crate::steps::{Branch, Children, Round, Step};

/// How many rounds of a loop are followed. Differences between rounds appear in the first ones.
const ROUNDS: usize = 3;

impl<'p> Follow<'p> {
    pub(super) fn flow(&mut self, children: Children<'p>) {
        match children {
            Children::None => {}
            Children::Rounds(rounds) => self.rounds(rounds),
            Children::Branches(branches) => self.branches(branches),
            Children::Steps(steps) => self.steps(steps),
        }
    }

    fn branches(&mut self, branches: &'p [Branch]) {
        let (before, least) = (self.ground.state.clone(), self.ground.least);
        let mut states: Vec<KnownState> = Vec::with_capacity(branches.len());
        let mut longest = least;
        let beside = std::mem::replace(&mut self.beside, true);
        for branch in branches {
            self.ground.least = least;
            self.ground.state = before.clone();
            self.steps(&branch.steps);
            longest = longest.max(self.ground.least);
            states.push(std::mem::take(&mut self.ground.state));
        }
        self.ground.state = KnownState::join_branches(&before, states);
        self.ground.least = longest;
        self.beside = beside;
    }

    fn rounds(&mut self, rounds: &'p [Round]) {
        for round in rounds.iter().take(ROUNDS) {
            let before = self.ground.least;
            self.steps(&round.steps);
            let one = self.ground.least.saturating_sub(before);
            if rounds.len() > ROUNDS && std::ptr::eq(round, &rounds[ROUNDS - 1]) {
                let more = u32::try_from(rounds.len() - ROUNDS).unwrap_or(u32::MAX);
                self.ground.takes(one.saturating_mul(more));
            }
        }
        for pair in rounds.windows(2).skip(ROUNDS - 1) {
            if !std::ptr::eq(&*pair[0].steps, &*pair[1].steps) {
                self.may_have_run(&pair[1].steps);
            }
        }
    }

    /// Records that steps which the followed rounds left out may run in later rounds.
    fn may_have_run(&mut self, steps: &'p [Step]) {
        for step in steps {
            let runs = match step.head.when.as_ref().map(crate::value::Expression::known) {
                Some(Some(false)) => continue,
                Some(None) => Runs::Perhaps,
                Some(Some(true)) | None => Runs::Yes,
            };
            let name = step.head.name.as_ref().map(|name| name.as_str());
            if let Some(met) = name.and_then(|name| self.ground.names.get_mut(name)) {
                met.runs = met.runs.or(runs);
            }
            step.children().into_iter().for_each(|inner| self.may_have_run(inner));
        }
    }
}
