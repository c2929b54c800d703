//! The states of brokers and clients, followed through the steps as far as they are certain.

use super::timeline::PlanLane;
use crate::facts::LaneMark;
use crate::steps::{Lasting, PartitionNetwork, StartCluster, Verb};
use crate::value::{
    Controllers, MemberRef, MetadataMode, RestartHow, Target, broker_numbers, controller_numbers,
    is_controller,
};

impl LaneMark {
    /// All, in the order of a legend.
    pub const ALL: [Self; 10] = [
        Self::Running,
        Self::Killed,
        Self::Stopped,
        Self::Paused,
        Self::Isolated,
        Self::Degraded,
        Self::DiskFull,
        Self::Restarting,
        Self::Chaos,
        Self::Absent,
    ];

    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "not there",
            Self::Running => "running",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::Paused => "frozen",
            Self::Isolated => "cut off",
            Self::Degraded => "on a slow network",
            Self::DiskFull => "disk full",
            Self::Restarting => "restarting",
            Self::Chaos => "broken at random",
        }
    }

    /// A letter for it.
    pub const fn sign(self) -> char {
        match self {
            Self::Absent => ' ',
            Self::Running => '─',
            Self::Killed => 'X',
            Self::Stopped => 'o',
            Self::Paused => '‖',
            Self::Isolated => '╳',
            Self::Degraded => '~',
            Self::DiskFull => '▓',
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
    lanes: Vec<(LaneKind, PlanLane)>,
    now: Vec<LaneMark>,
    steps: usize,
}

/// The states around the beginning of a step.
pub(super) struct Changed {
    before: Vec<LaneMark>,
    after: Vec<LaneMark>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LaneKind {
    Broker,
    Controller,
    Zookeeper,
    Client,
    /// Brokers that are chosen when the step runs.
    Chosen,
}

impl Lanes {
    /// A step that changes nobody's state.
    pub fn nothing(&mut self) {
        for ((_, lane), now) in self.lanes.iter_mut().zip(&self.now) {
            lane.states.push(*now);
        }
        self.steps += 1;
    }

    /// A step that begins.
    pub fn begin(&mut self, verb: &Verb) -> Changed {
        let before = self.now.clone();
        self.change(verb);
        self.nothing();
        Changed { before, after: self.now.clone() }
    }

    /// A step ends: where its fault passes with it, those whom nothing else changed are as before.
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

    fn change(&mut self, verb: &Verb) {
        match verb {
            Verb::StartCluster(it) => self.start_cluster(it),
            Verb::StopCluster(_) => self.set(|kind| kind != LaneKind::Client, LaneMark::Absent),
            Verb::KillBroker(it) => self.target(&it.broker, LaneMark::Killed),
            Verb::StopBroker(it) => self.target(&it.broker, LaneMark::Stopped),
            Verb::PauseBroker(it) => self.target(&it.broker, LaneMark::Paused),
            Verb::StartBroker(it) => self.mend(&it.broker),
            Verb::ResumeBroker(it) => self.mend(&it.broker),
            Verb::FreeDisk(it) => self.mend(&it.broker),
            Verb::RestartBroker(it) => {
                let state = if it.how == RestartHow::Kill {
                    LaneMark::Killed
                } else {
                    LaneMark::Restarting
                };
                self.target(&it.broker, state);
            }
            Verb::UpgradeBroker(it) => self.target(&it.broker, LaneMark::Restarting),
            Verb::PartitionNetwork(it) => self.partition(it),
            Verb::DegradeNetwork(it) => self.target(&it.broker, LaneMark::Degraded),
            Verb::FillDisk(it) => self.target(&it.broker, LaneMark::DiskFull),
            Verb::HealNetwork(_) => self.heal(),
            Verb::StartProducer(it) => self.add(LaneKind::Client, format!("producer {}", it.name)),
            Verb::StartConsumer(it) => match it.members.value {
                1 => self.add(LaneKind::Client, format!("consumer {}", it.name)),
                n => (1..=n)
                    .for_each(|m| self.add(LaneKind::Client, format!("consumer {}/{m}", it.name))),
            },
            Verb::StartCopier(it) => self.add(LaneKind::Client, format!("copier {}", it.name)),
            Verb::KillClient(it) => self.clients(&it.client, LaneMark::Killed),
            Verb::PauseClient(it) => self.clients(&it.client, LaneMark::Paused),
            Verb::ResumeClient(it) => self.clients(&it.client, LaneMark::Running),
            Verb::StartClient(it) => self.clients(&it.client, LaneMark::Running),
            Verb::StopClient(it) => self.clients(&it.client, LaneMark::Stopped),
            Verb::Chaos(it) => {
                self.set(|kind| kind == LaneKind::Broker, LaneMark::Chaos);
                if it
                    .faults
                    .iter()
                    .any(|f| matches!(f.verb, Verb::KillClient(_) | Verb::PauseClient(_)))
                {
                    self.set(|kind| kind == LaneKind::Client, LaneMark::Chaos);
                }
            }
            _ => {}
        }
    }

    fn start_cluster(&mut self, it: &StartCluster) {
        self.set(|kind| kind != LaneKind::Client, LaneMark::Absent);
        for broker in broker_numbers(it.brokers.value) {
            self.add(LaneKind::Broker, format!("broker {broker}"));
        }
        match (it.mode.value, it.controllers.value) {
            (MetadataMode::Zookeeper, _) => self.add(LaneKind::Zookeeper, "ZooKeeper".to_owned()),
            (MetadataMode::Kraft, Controllers::Own(n)) => {
                controller_numbers(n)
                    .for_each(|c| self.add(LaneKind::Controller, format!("controller {c}")));
            }
            (MetadataMode::Kraft, Controllers::Combined) => {}
        }
    }

    /// Puts somebody into a lane of their own, running; the lane may be there from an earlier life.
    fn add(&mut self, kind: LaneKind, name: String) {
        let index = self.lane(kind, name);
        self.now[index] = LaneMark::Running;
    }

    fn lane(&mut self, kind: LaneKind, name: String) -> usize {
        let found = self.lanes.iter().position(|(k, lane)| *k == kind && lane.name == name);
        found.unwrap_or_else(|| {
            self.lanes.push((kind, PlanLane { name, states: vec![LaneMark::Absent; self.steps] }));
            self.now.push(LaneMark::Absent);
            self.lanes.len() - 1
        })
    }

    fn set(&mut self, which: impl Fn(LaneKind) -> bool, state: LaneMark) {
        for ((kind, _), now) in self.lanes.iter().zip(&mut self.now) {
            if which(*kind) && *now != LaneMark::Absent {
                *now = state;
            }
        }
    }

    /// Gives the brokers of a target a state; those that are chosen later share a lane of their own.
    fn target(&mut self, target: &Target, state: LaneMark) {
        match target {
            Target::All => self.set(|kind| kind == LaneKind::Broker, state),
            Target::Controllers => self.set(|kind| kind == LaneKind::Controller, state),
            Target::Zookeeper => self.set(|kind| kind == LaneKind::Zookeeper, state),
            Target::Several(all) => all.iter().for_each(|t| self.target(t, state)),
            Target::Broker(n) if is_controller(*n) => self.named(&format!("controller {n}"), state),
            Target::Broker(n) => self.named(&format!("broker {n}"), state),
            chosen => {
                let index = self.lane(LaneKind::Chosen, chosen.to_string());
                self.now[index] = state;
            }
        }
    }

    fn named(&mut self, name: &str, state: LaneMark) {
        if let Some(index) = self.lanes.iter().position(|(_, lane)| lane.name == name) {
            self.now[index] = state;
        }
    }

    /// Brokers run again; who was chosen is taken to be among them when nobody else can be meant.
    fn mend(&mut self, target: &Target) {
        let several = matches!(target, Target::All | Target::SameAs(_));
        self.target(target, LaneMark::Running);
        if several || target.numbers().is_none() {
            self.set(|kind| kind == LaneKind::Chosen, LaneMark::Absent);
        }
    }

    fn heal(&mut self) {
        for ((kind, _), now) in self.lanes.iter().zip(&mut self.now) {
            if matches!(now, LaneMark::Isolated | LaneMark::Degraded) {
                *now = if *kind == LaneKind::Chosen { LaneMark::Absent } else { LaneMark::Running };
            }
        }
    }

    fn partition(&mut self, it: &PartitionNetwork) {
        match (&it.groups, it.isolate.as_ref().or(it.from.as_ref())) {
            // All groups but the largest are shown as cut off.
            (Some(groups), _) => {
                let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
                let mut spared = false;
                for group in groups.iter() {
                    let spare = groups.len() > 1 && !spared && group.len() == largest;
                    spared |= spare;
                    if !spare {
                        group.iter().for_each(|n| {
                            self.target(&Target::Broker(n.value), LaneMark::Isolated)
                        });
                    }
                }
            }
            (None, Some(target)) => self.target(target, LaneMark::Isolated),
            (None, None) => {}
        }
    }

    fn clients(&mut self, clients: &[crate::Spanned<MemberRef>], state: LaneMark) {
        for client in clients {
            let whole = ["producer", "consumer", "copier"].map(|kind| format!("{kind} {client}"));
            let members = format!("consumer {client}/");
            for ((kind, lane), now) in self.lanes.iter().zip(&mut self.now) {
                let meant = whole.contains(&lane.name) || lane.name.starts_with(&members);
                if *kind == LaneKind::Client && meant {
                    *now = state;
                }
            }
        }
    }

    /// The lanes, brokers first, each as long as the plan.
    pub fn finished(self, steps: usize) -> Vec<PlanLane> {
        let order = [
            LaneKind::Broker,
            LaneKind::Controller,
            LaneKind::Zookeeper,
            LaneKind::Chosen,
            LaneKind::Client,
        ];
        let mut lanes = self.lanes;
        lanes.sort_by_key(|(kind, _)| order.iter().position(|k| k == kind));
        let padded = |(_, mut lane): (LaneKind, PlanLane)| {
            lane.states.resize(steps, LaneMark::Absent);
            lane
        };
        lanes.into_iter().map(padded).collect()
    }
}

/// True if the step undoes what it did before it ends.
fn passes(verb: &Verb) -> bool {
    let comes_back =
        matches!(verb, Verb::RestartBroker(_) | Verb::UpgradeBroker(_) | Verb::Chaos(_));
    comes_back || verb.lasting().is_some_and(Lasting::passes)
}
