//! What is known of cluster, topics and clients between two steps.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Blurs, Kind, StepFacts};
use crate::source::Span;
use crate::value::{Acks, KafkaVersion, MetadataMode, is_controller};

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Up,
    /// Killed, or stopped and not drained.
    Down,
    /// Stopped gracefully: a consumer has caught up.
    Stopped,
    Paused,
    /// Not known.
    Maybe,
}

#[derive(Debug, Clone, PartialEq)]
pub struct KnownCluster {
    /// How many brokers it has.
    pub brokers: u32,
    /// Numbers of brokers that it certainly has. The numbers of a cluster that exists may not be known.
    pub numbers: BTreeSet<u32>,
    /// True if it exists before the plan: its numbers are all brokers'.
    pub borrowed: bool,
    /// Dedicated controllers.
    pub controllers: u32,
    pub mode: MetadataMode,
    pub version: KafkaVersion,
    /// Whether the image is one of Kafka's own releases.
    pub stock: bool,
    pub unclean: bool,
    pub users: Option<Vec<String>>,
    /// The states of brokers and dedicated controllers whose numbers are known or in the plan.
    pub lives: BTreeMap<u32, Liveness>,
    /// The state of brokers whose numbers are not known.
    pub others: Liveness,
    pub span: Span,
}

impl KnownCluster {
    /// True if the numbers of all its brokers are known.
    pub fn knows_all(&self) -> bool {
        self.numbers.len() >= self.brokers as usize
    }

    /// True for the number of a dedicated controller.
    pub fn is_dedicated(&self, number: u32) -> bool {
        !self.borrowed && is_controller(number)
    }

    /// The brokers whose numbers are known or in the plan.
    pub fn named(&self) -> impl Iterator<Item = u32> {
        self.lives.keys().copied().filter(|n| !self.is_dedicated(*n))
    }

    /// The state of a broker or dedicated controller; none if it certainly does not exist.
    pub fn life(&self, number: u32) -> Option<Liveness> {
        let other = (!self.knows_all()).then_some(self.others);
        self.lives.get(&number).copied().or(other)
    }

    /// All states, those of the brokers whose numbers are not known as one.
    pub fn every_life(&mut self) -> impl Iterator<Item = &mut Liveness> {
        self.lives.values_mut().chain([&mut self.others])
    }

    /// True if certainly too few controllers are running for a quorum. The controllers of a cluster that exists are
    /// not known.
    pub fn quorum_is_lost(&self) -> bool {
        if self.mode == MetadataMode::Zookeeper || self.borrowed {
            return false;
        }
        let is_voter = |n: u32| self.is_dedicated(n) == (self.controllers > 0);
        let voters = self.lives.iter().filter(|(n, _)| is_voter(**n));
        let (mut all, mut dead) = (0, 0);
        for (_, life) in voters {
            all += 1;
            dead +=
                usize::from(matches!(life, Liveness::Down | Liveness::Stopped | Liveness::Paused));
        }
        (all - dead) * 2 <= all
    }

    /// How many brokers are certainly in this state.
    pub fn count(&self, wanted: impl Fn(Liveness) -> bool) -> u32 {
        let named: Vec<u32> = self.named().collect();
        let unnamed = (self.brokers as usize).saturating_sub(named.len());
        let found = named.iter().filter(|n| self.lives.get(n).is_some_and(|life| wanted(*life)));
        let all = found.count() + if wanted(self.others) { unnamed } else { 0 };
        u32::try_from(all).unwrap_or(u32::MAX).min(self.brokers)
    }

    pub fn is_down(&self, broker: u32) -> bool {
        matches!(self.life(broker), Some(Liveness::Down | Liveness::Stopped))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct KnownTopic {
    pub partitions: u32,
    pub replicas: u32,
    pub assignment: Option<Vec<Vec<u32>>>,
    pub min_in_sync: Option<u32>,
    pub unclean: bool,
    pub gone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    Producer,
    Consumer,
    Copier,
    Service,
}

impl ClientKind {
    /// A client that sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::Producer | Self::Copier)
    }

    /// A client that makes messages of messages.
    pub fn serves(self) -> bool {
        matches!(self, Self::Copier | Self::Service)
    }

    /// Its name in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Copier => "copier",
            Self::Service => "service",
        }
    }

    /// A client that reads in a group.
    pub fn reads(self) -> bool {
        matches!(self, Self::Consumer | Self::Copier)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct KnownClient {
    pub kind: ClientKind,
    pub life: Liveness,
    pub members: u32,
    /// The topic to which it sends, or the topics that a consumer reads.
    pub topics: Vec<String>,
    /// The topic that a copier or a service reads.
    pub from: Option<String>,
    /// The group in which it reads.
    pub group: Option<String>,
    /// The ports of a service that can be reached; none if every port of its process can be.
    pub published: Option<Vec<u32>>,
    pub acks: Acks,
    /// True if it sends in transactions.
    pub transactional: bool,
    /// True if it commits the offsets of its group.
    pub commits: bool,
    /// True if it ends by itself after a number of messages.
    pub ends: bool,
    /// Its name in the plan's `clients`, if it is another program.
    pub program: Option<String>,
    /// True if it sends texts, which other programs can print.
    pub sends_text: bool,
    pub span: Span,
}

impl KnownClient {
    /// The topics that it reads.
    pub fn reads(&self) -> &[String] {
        match &self.from {
            Some(topic) => std::slice::from_ref(topic),
            None if self.kind.reads() => &self.topics,
            None => &[],
        }
    }
}

/// What is known between two steps.
#[derive(Debug, Clone, Default)]
pub struct KnownState {
    pub external: bool,
    pub cluster: Option<KnownCluster>,
    /// A cluster may be running, but nothing is known of it.
    pub cluster_unknown: bool,
    pub topics: BTreeMap<String, KnownTopic>,
    pub topics_unknown: bool,
    pub clients: BTreeMap<String, KnownClient>,
    pub clients_unknown: bool,
    /// Services of which a `collect` has read what they wrote.
    pub collected: BTreeSet<String>,
    /// A `produce` has sent messages.
    pub produced: bool,
    /// A fault was injected so far.
    pub broken: bool,
    /// The plan made an unclean election.
    pub elected_unclean: bool,
}

impl KnownState {
    pub fn new(external: bool) -> Self {
        Self { external, ..Self::default() }
    }

    /// Makes everything uncertain: any step may have been the last one that ran.
    pub fn blur(&mut self) {
        self.cluster_unknown = true;
        for life in self.cluster.iter_mut().flat_map(KnownCluster::every_life) {
            *life = Liveness::Maybe;
        }
        for client in self.clients.values_mut() {
            client.life = Liveness::Maybe;
        }
    }

    /// Follows a step whose arguments are not known.
    pub fn something_happened(&mut self, facts: &StepFacts) {
        match facts.blurs {
            Blurs::Cluster => {
                self.cluster = None;
                self.cluster_unknown = true;
            }
            Blurs::Topics => self.topics_unknown = true,
            Blurs::Clients => self.clients_unknown = true,
            Blurs::Produced => self.produced = true,
            Blurs::Nothing => {}
            Blurs::Everything => {
                self.topics_unknown |= facts.kind == Kind::Flow;
                self.clients_unknown |= facts.kind == Kind::Flow;
                let known = self.cluster_unknown;
                self.blur();
                self.cluster_unknown = known;
            }
        }
    }

    /// What stays certain if it is unknown whether a step ran: `before` is the state without it, `self` with it.
    pub fn join(&mut self, before: &Self) {
        match (&mut self.cluster, &before.cluster) {
            (Some(after), Some(before)) => join_lives(after, before),
            (None, None) => {}
            _ => self.cluster_unknown = true,
        }
        if self.cluster.is_none() {
            self.cluster.clone_from(&before.cluster);
        }
        for (name, topic) in &mut self.topics {
            // A topic that may exist is assumed to exist.
            topic.gone &= before.topics.get(name).is_none_or(|t| t.gone);
        }
        for (name, client) in &mut self.clients {
            match before.clients.get(name) {
                Some(before) if before.life == client.life => {}
                _ => client.life = Liveness::Maybe,
            }
        }
        self.cluster_unknown |= before.cluster_unknown;
    }

    /// Joins the states that parallel branches made of `before`.
    pub fn join_branches(before: &Self, branches: Vec<Self>) -> Self {
        let mut joined = before.clone();
        for branch in branches {
            joined.absorb(before, branch);
        }
        joined
    }

    fn absorb(&mut self, before: &Self, branch: Self) {
        if let Some(after) = branch.cluster {
            match &mut self.cluster {
                Some(cluster) => {
                    let old = before.cluster.as_ref();
                    for (broker, life) in after.lives {
                        let was = old.and_then(|c| c.life(broker));
                        let now = cluster.life(broker);
                        if was != Some(life) {
                            let both = now != was && now != Some(life);
                            cluster.lives.insert(broker, if both { Liveness::Maybe } else { life });
                        }
                    }
                    if old.is_some_and(|c| c.others != after.others) {
                        let both = old.is_some_and(|c| c.others != cluster.others)
                            && cluster.others != after.others;
                        cluster.others = if both { Liveness::Maybe } else { after.others };
                    }
                }
                None => self.cluster = Some(after),
            }
        }
        self.topics.extend(branch.topics);
        for (name, client) in branch.clients {
            let was = before.clients.get(&name);
            let now = self.clients.get(&name);
            let changed = was.is_none_or(|c| c.life != client.life);
            let elsewhere = was.zip(now).is_some_and(|(was, now)| was.life != now.life);
            if changed {
                let life = if elsewhere { Liveness::Maybe } else { client.life };
                self.clients.insert(name, KnownClient { life, ..client });
            }
        }
        self.cluster_unknown |= branch.cluster_unknown;
        self.topics_unknown |= branch.topics_unknown;
        self.clients_unknown |= branch.clients_unknown;
        self.collected.extend(branch.collected);
        self.produced |= branch.produced;
        self.broken |= branch.broken;
        self.elected_unclean |= branch.elected_unclean;
    }
}

fn join_lives(after: &mut KnownCluster, before: &KnownCluster) {
    for (broker, life) in &mut after.lives {
        if before.life(*broker) != Some(*life) {
            *life = Liveness::Maybe;
        }
    }
    if before.others != after.others {
        after.others = Liveness::Maybe;
    }
}
