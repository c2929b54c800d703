//! Follows the states of brokers and clients through the steps, as far as they are certain.

use super::timeline::PlanLane;
use crate::facts::{LaneChange, LaneMark, LaneOf, Undo};
use crate::plan::ExistingBrokers;
use crate::steps::{Lasting, Verb};
use crate::value::{Clients, Target};

impl LaneMark {
    /// All, in the order of a legend.
    pub const ALL: [Self; 17] = [
        Self::Running,
        Self::Killed,
        Self::NoPower,
        Self::Stopped,
        Self::Paused,
        Self::Isolated,
        Self::Degraded,
        Self::DiskFull,
        Self::Damaged,
        Self::DiskErrors,
        Self::SlowDisk,
        Self::WrongClock,
        Self::Disturbed,
        Self::Throttled,
        Self::Restarting,
        Self::Chaos,
        Self::Absent,
    ];

    /// The word for it, in legends.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "not started, or ended",
            Self::Running => "running",
            Self::Killed => "killed",
            Self::NoPower => "without power",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Isolated => "cut off",
            Self::Degraded => "on a slow network",
            Self::DiskFull => "disk full",
            Self::Damaged => "with a damaged file",
            Self::DiskErrors => "with errors of its disk",
            Self::SlowDisk => "on a slow disk",
            Self::WrongClock => "with a wrong clock",
            Self::Disturbed => "with disturbed requests",
            Self::Throttled => "throttled",
            Self::Restarting => "restarting",
            Self::Chaos => "random faults",
        }
    }

    /// The character for it, in the text timeline.
    pub const fn sign(self) -> char {
        match self {
            Self::Absent => ' ',
            Self::Running => '─',
            Self::Killed => 'X',
            Self::NoPower => 'Ø',
            Self::Stopped => 'o',
            Self::Paused => '‖',
            Self::Isolated => '╳',
            Self::Degraded => '~',
            Self::DiskFull => '▓',
            Self::Damaged => '#',
            Self::DiskErrors => '!',
            Self::SlowDisk => '▒',
            Self::WrongClock => '±',
            Self::Disturbed => '≠',
            Self::Throttled => '≈',
            Self::Restarting => '↻',
            Self::Chaos => '?',
        }
    }

    /// True if it is a fault.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Absent | Self::Running | Self::Stopped)
    }
}

/// The states so far.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<(LaneOf, PlanLane)>,
    now: Vec<LaneMark>,
    steps: usize,
    /// The brokers of a cluster that exists, as far as they are known.
    existing: Option<Vec<u32>>,
}

/// The states before and after the start of a step.
pub(super) struct Changed {
    before: Vec<LaneMark>,
    after: Vec<LaneMark>,
}

impl Lanes {
    /// No states yet.
    pub fn of(existing: Option<&ExistingBrokers>) -> Self {
        let existing = existing.map(|brokers| brokers.numbers.iter().copied().collect());
        Self { existing, ..Self::default() }
    }

    /// A step that changes no state.
    pub fn nothing(&mut self) {
        for ((_, lane), now) in self.lanes.iter_mut().zip(&self.now) {
            lane.states.push(*now);
        }
        self.steps += 1;
    }

    /// A step that begins.
    pub fn begin(&mut self, verb: &Verb) -> Changed {
        let before = self.now.clone();
        verb.lanes().into_iter().for_each(|change| self.change(change));
        self.nothing();
        Changed { before, after: self.now.clone() }
    }

    /// Ends a step. If its fault ends with it, brokers and clients that nothing else changed get their state from
    /// before.
    pub fn end(&mut self, verb: &Verb, changed: &Changed) {
        if !passes(verb) {
            return;
        }
        for (index, (now, after)) in self.now.iter_mut().zip(&changed.after).enumerate() {
            let before = changed.before.get(index).copied().unwrap_or(LaneMark::Absent);
            if now == after {
                *now = before;
            }
        }
    }

    fn change(&mut self, change: LaneChange) {
        match change {
            LaneChange::Begins(LaneOf::Broker(_)) if self.existing.is_some() => {
                for number in self.existing.clone().unwrap_or_default() {
                    self.begins(LaneOf::Broker(number));
                }
            }
            LaneChange::Begins(of) => self.begins(of),
            LaneChange::NoCluster => self.set(|of| !is_client(of), LaneMark::Absent),
            LaneChange::Nodes(target, LaneMark::Running) => self.mend(&target),
            LaneChange::Nodes(target, mark) => self.target(&target, mark),
            LaneChange::Clients(clients, mark) => self.clients(&clients, mark),
            LaneChange::AllClients(mark) => self.set(is_client, mark),
            LaneChange::Mends(marks) => {
                for ((of, _), now) in self.lanes.iter().zip(&mut self.now) {
                    if marks.contains(now) {
                        let chosen = matches!(of, LaneOf::Chosen(_));
                        *now = if chosen { LaneMark::Absent } else { LaneMark::Running };
                    }
                }
            }
        }
    }

    fn begins(&mut self, of: LaneOf) {
        let index = self.lane(of);
        self.now[index] = LaneMark::Running;
    }

    fn lane(&mut self, of: LaneOf) -> usize {
        let found = self.lanes.iter().position(|(known, _)| *known == of);
        found.unwrap_or_else(|| {
            let states = vec![LaneMark::Absent; self.steps];
            self.lanes.push((of.clone(), PlanLane { name: name(&of), states }));
            self.now.push(LaneMark::Absent);
            self.lanes.len() - 1
        })
    }

    fn set(&mut self, which: impl Fn(&LaneOf) -> bool, state: LaneMark) {
        for ((of, _), now) in self.lanes.iter().zip(&mut self.now) {
            if which(of) && *now != LaneMark::Absent {
                *now = state;
            }
        }
    }

    /// Sets the state of the brokers of a target. Brokers that are chosen when the step runs share a separate lane.
    fn target(&mut self, target: &Target, state: LaneMark) {
        match target {
            Target::All => self.set(|of| matches!(of, LaneOf::Broker(_)), state),
            Target::Controllers => self.set(|of| matches!(of, LaneOf::Controller(_)), state),
            Target::Zookeeper => self.set(|of| *of == LaneOf::Zookeeper, state),
            Target::Several(all) => all.iter().for_each(|t| self.target(t, state)),
            Target::Broker(n) => self.node(LaneOf::Broker(*n), state),
            Target::Dedicated(n) => self.node(LaneOf::Controller(*n), state),
            chosen => {
                let index = self.lane(LaneOf::Chosen(chosen.to_string()));
                self.now[index] = state;
            }
        }
    }

    fn node(&mut self, node: LaneOf, state: LaneMark) {
        if let Some(index) = self.lanes.iter().position(|(of, _)| *of == node) {
            self.now[index] = state;
        }
    }

    /// Sets brokers to running. A lane of brokers that were chosen at run time is included if no other broker can
    /// be meant.
    fn mend(&mut self, target: &Target) {
        let several = matches!(target, Target::All | Target::SameAs(_));
        self.target(target, LaneMark::Running);
        if several || target.numbers().is_none() {
            self.set(|of| matches!(of, LaneOf::Chosen(_)), LaneMark::Absent);
        }
    }

    fn clients(&mut self, clients: &Clients, state: LaneMark) {
        for meant in clients.iter() {
            for ((of, _), now) in self.lanes.iter().zip(&mut self.now) {
                let LaneOf::Client { name, member, .. } = of else { continue };
                if *name == *meant.client && (meant.member.is_none() || meant.member == *member) {
                    *now = state;
                }
            }
        }
    }

    /// The lanes, brokers first, each with a state for every step.
    pub fn finished(self, steps: usize) -> Vec<PlanLane> {
        let mut lanes = self.lanes;
        lanes.sort_by_key(|(of, _)| rank(of));
        let padded = |(_, mut lane): (LaneOf, PlanLane)| {
            lane.states.resize(steps, LaneMark::Absent);
            lane
        };
        lanes.into_iter().map(padded).collect()
    }
}

const fn is_client(of: &LaneOf) -> bool {
    matches!(of, LaneOf::Client { .. })
}

/// The order of a lane.
const fn rank(of: &LaneOf) -> u8 {
    match of {
        LaneOf::Broker(_) => 0,
        LaneOf::Controller(_) => 1,
        LaneOf::Zookeeper => 2,
        LaneOf::Chosen(_) => 3,
        LaneOf::Client { .. } => 4,
    }
}

fn name(of: &LaneOf) -> String {
    match of {
        LaneOf::Broker(number) => format!("broker {number}"),
        LaneOf::Controller(number) => format!("controller {number}"),
        LaneOf::Zookeeper => "ZooKeeper".to_owned(),
        LaneOf::Chosen(words) => words.clone(),
        LaneOf::Client { kind, name, member: None } => format!("{kind} {name}"),
        LaneOf::Client { kind, name, member: Some(member) } => format!("{kind} {name}/{member}"),
    }
}

/// True if the step undoes its effect before it ends.
fn passes(verb: &Verb) -> bool {
    verb.facts().undo == Undo::Itself || verb.lasting().is_some_and(Lasting::passes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::facts::Kind;
    use crate::{Options, check_text};

    #[test]
    fn every_verb_that_starts_a_client_gives_it_a_lane() {
        let starts = Verb::ALL.iter().filter(|info| {
            let traffic = Verb::facts_of(info.word).is_some_and(|f| f.kind == Kind::Traffic);
            traffic && (info.fields)().iter().any(|field| field.key == "name")
        });
        let examples: Vec<&str> = starts.flat_map(|info| info.examples).copied().collect();
        assert!(examples.len() >= 3, "{examples:?}");
        for example in examples {
            let text = format!("plan: v1\nname: x\nsteps:\n  - start_cluster\n  - {example}\n");
            let options = Options { allow_run: true, ..Options::default() };
            let checked = check_text(Path::new("x.yaml"), &text, &options);
            let plan = checked.suites.first().unwrap_or_else(|| panic!("{text}"));
            let lanes = plan.steps[1].verb().map(Verb::lanes).unwrap_or_default();
            let client =
                |change: &LaneChange| matches!(change, LaneChange::Begins(of) if is_client(of));
            assert!(lanes.iter().any(client), "{example}: {lanes:?}");
        }
    }
}
