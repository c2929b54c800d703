//! What is known of cluster, topics and clients between two steps.

use std::collections::{BTreeMap, BTreeSet};

use super::KnownCluster;
use super::settings::UNCLEAN;
use crate::facts::{Blurs, Kind, StepFacts};
use crate::source::Span;
use crate::value::{Acks, Settings};

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
pub struct KnownTopic {
    pub partitions: u32,
    pub replicas: u32,
    pub assignment: Option<Vec<Vec<u32>>>,
    pub min_in_sync: Option<u32>,
    pub unclean: bool,
    /// The most bytes of a record batch (`max.message.bytes`), if the plan sets it.
    pub largest: Option<u32>,
    pub gone: bool,
}

impl KnownTopic {
    /// Takes over what the plan sets for the topic.
    pub fn set(&mut self, config: &Settings) {
        let number = |name| config.get(name).and_then(|n| n.parse().ok());
        self.min_in_sync = number("min.insync.replicas").or(self.min_in_sync);
        self.largest = number("max.message.bytes").or(self.largest);
        self.unclean = config.get(UNCLEAN).map_or(self.unclean, |unclean| unclean == "true");
    }
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
    /// The most messages that it sends, if that is known.
    pub most: Option<u64>,
    /// True for a consumer that begins at the log's end and to which nothing was sent since then.
    pub waits: bool,
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
