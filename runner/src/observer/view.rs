//! The state of the cluster at one moment, and queries on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The cluster as its living brokers report it (see [`super::merge`] for which answer counts).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Since when this is the state, monotonic microseconds ([`crate::history::now_us`]).
    pub at_us: i64,
    /// Every broker of the cluster, and any other broker that is listed.
    pub brokers: BTreeMap<u32, BrokerView>,
    /// The active controller; none while there is none or it is not known. A separate controller node
    /// has its own number (from 101).
    pub controller: Option<u32>,
    /// Why the controller is not known; none if it is known, or known that there is
    /// none.
    #[serde(default)]
    pub controller_unknown: Option<String>,
    pub topics: BTreeMap<String, TopicView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerView {
    pub answers: bool,
    /// A living broker that is up to date lists it.
    pub listed: bool,
    /// Living brokers that list it, up to date or not, itself included.
    pub listed_by: BTreeSet<u32>,
    /// The advertised `HOST:PORT`, if it is listed.
    pub advertised: Option<String>,
    pub rack: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicView {
    /// Kafka's own (`__consumer_offsets`, `__transaction_state`).
    pub internal: bool,
    /// Its id, if Kafka has them (2.8 on): a topic that is created again has another one.
    pub id: Option<String>,
    pub partitions: Vec<PartitionView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionView {
    pub partition: u32,
    /// The leader, none if it has none.
    pub leader: Option<u32>,
    /// Leader epoch; none if no broker reports it.
    pub leader_epoch: Option<i32>,
    /// Replicas, the preferred leader first.
    pub replicas: Vec<u32>,
    /// In-sync replicas, ascending.
    pub in_sync: Vec<u32>,
    /// Replicas whose broker is offline, ascending.
    pub offline: Vec<u32>,
    /// Replicas out of the in-sync set that hold everything committed and may lead without loss
    /// (eligible leader replicas, KIP-966, Kafka 4.0 on), ascending.
    #[serde(default)]
    pub eligible: Vec<u32>,
}

impl PartitionView {
    /// Fewer in-sync replicas than replicas.
    pub fn under_replicated(&self) -> bool {
        self.in_sync.len() < self.replicas.len()
    }

    /// Whether the leader after `before` was neither in sync nor eligible then: messages that were
    /// committed may be lost.
    ///
    /// The state is polled: if a replica that was in sync still is, the new leader may have
    /// joined the set between two polls, and an unclean election would have required all of the set to be
    /// gone. A partition without a state yet (a topic that is just created) had no leader to lose either.
    pub fn elected_uncleanly(&self, before: &Self) -> bool {
        let knew_all =
            |leader| before.in_sync.contains(&leader) || before.eligible.contains(&leader);
        // A broker that missed the last elections reports an earlier one.
        let moved = self.leader != before.leader && self.leader_epoch >= before.leader_epoch;
        let had_state = before.leader_epoch.is_some() || !before.in_sync.is_empty();
        let nobody_stayed = !before.in_sync.iter().any(|b| self.in_sync.contains(b));
        moved && had_state && nobody_stayed && self.leader.is_some_and(|leader| !knew_all(leader))
    }

    /// The first replica leads.
    pub fn preferred_leads(&self) -> bool {
        self.leader.is_some() && self.leader == self.replicas.first().copied()
    }
}

/// A partition and its topic.
pub type Named<'a> = (&'a str, &'a PartitionView);

impl ClusterView {
    pub fn partition(&self, topic: &str, partition: u32) -> Option<&PartitionView> {
        self.topics.get(topic)?.partitions.iter().find(|p| p.partition == partition)
    }

    /// Partitions of `topic`, or of every topic that is not Kafka's own. Empty for an unknown topic.
    pub fn partitions<'a>(&'a self, topic: Option<&'a str>) -> impl Iterator<Item = Named<'a>> {
        self.topics
            .iter()
            .filter(move |(name, t)| topic.map_or(!t.internal, |wanted| wanted == name.as_str()))
            .flat_map(|(name, t)| t.partitions.iter().map(move |p| (name.as_str(), p)))
    }

    /// The leader of a partition.
    pub fn leader(&self, topic: &str, partition: u32) -> Option<u32> {
        self.partition(topic, partition)?.leader
    }

    /// Partitions led by `broker`, Kafka's own included.
    pub fn led_by(&self, broker: u32) -> impl Iterator<Item = Named<'_>> {
        self.topics
            .iter()
            .flat_map(|(name, t)| t.partitions.iter().map(move |p| (name.as_str(), p)))
            .filter(move |(_, p)| p.leader == Some(broker))
    }

    /// Followers of a partition: its replicas without its leader.
    pub fn followers(&self, topic: &str, partition: u32) -> Vec<u32> {
        self.partition(topic, partition).map_or_else(Vec::new, |p| {
            p.replicas.iter().copied().filter(|r| p.leader != Some(*r)).collect()
        })
    }

    /// Partitions with fewer in-sync replicas than replicas (as Kafka's own tool counts them).
    pub fn under_replicated<'a>(
        &'a self,
        topic: Option<&'a str>,
    ) -> impl Iterator<Item = Named<'a>> {
        self.partitions(topic).filter(|(_, p)| p.under_replicated())
    }

    /// Partitions whose in-sync set is smaller than min.insync.replicas, which `least` returns for a
    /// topic (its own setting, else the brokers' default).
    pub fn below_min_isr<'a>(
        &'a self,
        topic: Option<&'a str>,
        least: impl Fn(&str) -> u32 + 'a,
    ) -> impl Iterator<Item = Named<'a>> {
        self.partitions(topic).filter(move |(name, p)| p.in_sync.len() < least(name) as usize)
    }

    /// Partitions without a leader.
    pub fn offline<'a>(&'a self, topic: Option<&'a str>) -> impl Iterator<Item = Named<'a>> {
        self.partitions(topic).filter(|(_, p)| p.leader.is_none())
    }

    /// Partitions that are not led by their first replica (or have no leader).
    pub fn not_led_by_preferred<'a>(
        &'a self,
        topic: Option<&'a str>,
    ) -> impl Iterator<Item = Named<'a>> {
        self.partitions(topic).filter(|(_, p)| !p.preferred_leads())
    }

    /// Whether every broker that answers lists all of `brokers`, and these answer too.
    pub fn all_list(&self, brokers: &[u32]) -> bool {
        let answering = || self.brokers.iter().filter(|(_, b)| b.answers).map(|(n, _)| n);
        brokers.iter().all(|broker| {
            self.brokers
                .get(broker)
                .is_some_and(|b| b.answers && answering().all(|n| b.listed_by.contains(n)))
        })
    }

    /// Brokers that answer and that a living, up-to-date broker lists.
    pub fn brokers_alive(&self) -> BTreeSet<u32> {
        self.brokers.iter().filter(|(_, b)| b.answers && b.listed).map(|(n, _)| *n).collect()
    }
}
