//! Merges the answers of all living brokers (and of ZooKeeper or the quorum) into
//! one [`ClusterView`]. A pure function, so every rule has its test.
//!
//! - A broker that other living brokers do not list was cut off or is only joining: its answers are
//!   left out, unless no other broker is left.
//! - A topic exists if at least half of the others report it (the same incarnation of it).
//! - For a partition, the answer with the highest leader epoch counts, and among equals the leader's
//!   own: the leader decides on the in-sync set.
//! - With ZooKeeper, leaders and in-sync sets are taken from the znodes: Metadata shows a changed in-sync
//!   set 5 to 60 s late. The znode may keep a dead leader, so a leader must be registered.
//! - The controller is the quorum's leader of the newest epoch in any answer, if a majority of the
//!   voters still fetches from it, or ZooKeeper's `/controller`: a ZooKeeper server was reached. If no
//!   node that answers has a majority, there may still be a controller.
//!   KRaft brokers name a random living broker as the controller in Metadata; that is used only if there is
//!   neither a quorum nor ZooKeeper (a simulated cluster).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    quorum::QuorumWord,
    view::{BrokerView, ClusterView, PartitionView, TopicView},
};

/// What one broker answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Brokers that it lists: advertised address and rack.
    pub brokers: BTreeMap<u32, (String, Option<String>)>,
    /// The controller that it names.
    pub controller: Option<u32>,
    /// Topics that it knows.
    pub topics: BTreeMap<String, TopicView>,
}

/// The source for the controller (and in ZooKeeper mode for the in-sync sets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// KRaft: the quorum's answers, by the node through which it was asked.
    Quorum(BTreeMap<Via, QuorumWord>),
    /// ZooKeeper; none until it was read once.
    Zookeeper(Option<Arc<Znodes>>),
    Metadata,
}

/// The node through which the quorum is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// A broker, which forwards to the controller. A broker that lost the controller may delay the request for half
    /// a minute.
    Broker(u32),
    /// A node's own listener for controllers, where this machine reaches it.
    Controller(u32),
}

/// The state in ZooKeeper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Znodes {
    /// `/brokers/ids`.
    pub ids: BTreeSet<u32>,
    /// `/controller`.
    pub controller: Option<u32>,
    /// `/brokers/topics`: replicas by partition.
    pub topics: BTreeMap<String, BTreeMap<u32, Vec<u32>>>,
    /// `/brokers/topics/T/partitions/P/state`.
    pub states: BTreeMap<(String, u32), ZnodeState>,
}

/// A partition's state znode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZnodeState {
    /// Its leader, even if that broker is dead.
    pub leader: Option<u32>,
    pub epoch: i32,
    pub in_sync: Vec<u32>,
}

/// Everything that is known about the cluster.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The cluster's own broker numbers.
    pub expected: BTreeSet<u32>,
    /// The latest answers of the living brokers.
    pub answers: BTreeMap<u32, Arc<Answer>>,
    /// The source for the controller.
    pub authority: Authority,
}

/// The merged view, as of `at_us`.
pub fn merge(inputs: &Inputs, at_us: i64) -> ClusterView {
    let current = up_to_date(&inputs.answers);
    let believed: BTreeMap<u32, &Answer> =
        current.iter().filter_map(|b| Some((*b, inputs.answers.get(b)?.as_ref()))).collect();
    let controller = match &inputs.authority {
        Authority::Quorum(words) => quorum_leader(words, inputs).map(|word| Some(word.leader)),
        Authority::Zookeeper(Some(znodes)) => Ok(znodes.controller),
        Authority::Zookeeper(None) => Err("ZooKeeper was not reached yet".to_owned()),
        Authority::Metadata => {
            let named = believed.values().find_map(|a| a.controller);
            Ok(named.filter(|c| inputs.answers.contains_key(c)))
        }
    };
    let topics = match &inputs.authority {
        Authority::Zookeeper(Some(znodes)) => znode_topics(znodes),
        _ => merge_topics(&believed),
    };
    let (controller, controller_unknown) = match controller {
        Ok(controller) => (controller, None),
        Err(why) => (None, Some(why)),
    };
    let brokers = merge_brokers(inputs, &believed);
    ClusterView { at_us, brokers, controller, controller_unknown, topics }
}

/// The leader of the newest epoch, if a majority follows it: the leader of an older epoch was deposed,
/// and is not believed even if the newer leader has no majority yet.
pub(super) fn quorum_leader(
    words: &BTreeMap<Via, QuorumWord>,
    inputs: &Inputs,
) -> Result<QuorumWord, String> {
    const NOBODY: &str = "no controller with a majority of the quorum can be asked";
    let Some(word) = words.values().max().copied() else { return Err(NOBODY.to_owned()) };
    let QuorumWord { epoch, leader, backed } = word;
    // The quorum's last answer outlives its leader, unless the leader itself gave it.
    let own = words.get(&Via::Controller(leader)) == Some(&word);
    if inputs.expected.contains(&leader) && !inputs.answers.contains_key(&leader) && !own {
        return Err(format!("{NOBODY}: {leader}, the last one known, does not answer"));
    }
    let answers = |via: &Via| matches!(via, Via::Broker(b) if inputs.answers.contains_key(b));
    let said_by = words.iter().filter(|(via, w)| **w == word && answers(via));
    // Without stamps, the brokers that reach it count instead of the voters.
    if backed.unwrap_or_else(|| said_by.count() * 2 > inputs.answers.len()) {
        return Ok(word);
    }
    Err(format!(
        "{NOBODY}: {leader} (epoch {epoch}) claims to be the controller, but a majority does not \
         follow it"
    ))
}

/// Living brokers that every other living broker lists; all living brokers if there are none.
fn up_to_date(answers: &BTreeMap<u32, Arc<Answer>>) -> BTreeSet<u32> {
    let listed_by_all_others = |b: &u32| {
        answers.iter().all(|(other, answer)| other == b || answer.brokers.contains_key(b))
    };
    let current: BTreeSet<u32> = answers.keys().copied().filter(listed_by_all_others).collect();
    if current.is_empty() { answers.keys().copied().collect() } else { current }
}

fn merge_brokers(inputs: &Inputs, believed: &BTreeMap<u32, &Answer>) -> BTreeMap<u32, BrokerView> {
    let listed = believed.values().flat_map(|a| a.brokers.iter());
    let mut brokers: BTreeMap<u32, BrokerView> =
        inputs.expected.iter().map(|b| (*b, BrokerView::default())).collect();
    for (broker, (advertised, rack)) in listed {
        let view = brokers.entry(*broker).or_default();
        view.listed = true;
        view.advertised = Some(advertised.clone());
        view.rack.clone_from(rack);
    }
    for (broker, answer) in &inputs.answers {
        brokers.entry(*broker).or_default().answers = true;
        for listed in answer.brokers.keys() {
            brokers.entry(*listed).or_default().listed_by.insert(*broker);
        }
    }
    brokers
}

fn merge_topics(believed: &BTreeMap<u32, &Answer>) -> BTreeMap<String, TopicView> {
    let names: BTreeSet<&String> = believed.values().flat_map(|a| a.topics.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), merge_topic(name, believed)?)))
        .collect()
}

/// The incarnation that most brokers report, if at least half of all do.
fn merge_topic(name: &str, believed: &BTreeMap<u32, &Answer>) -> Option<TopicView> {
    let mut tellers: BTreeMap<&Option<String>, Vec<(u32, &TopicView)>> = BTreeMap::new();
    for (broker, answer) in believed {
        if let Some(topic) = answer.topics.get(name) {
            tellers.entry(&topic.id).or_default().push((*broker, topic));
        }
    }
    let (id, tellers) = tellers.into_iter().max_by_key(|(_, tellers)| tellers.len())?;
    if tellers.len() * 2 < believed.len() {
        return None;
    }
    let mut best: BTreeMap<u32, (u32, &PartitionView)> = BTreeMap::new();
    for (broker, topic) in &tellers {
        for partition in &topic.partitions {
            let known = best.entry(partition.partition).or_insert((*broker, partition));
            if authority(*broker, partition) > authority(known.0, known.1) {
                *known = (*broker, partition);
            }
        }
    }
    let internal = tellers.iter().any(|(_, t)| t.internal);
    let partitions = best.into_values().map(|(_, p)| p.clone()).collect();
    Some(TopicView { internal, id: id.clone(), partitions })
}

/// The priority of `broker`'s answer for a partition: the newer epoch first, then the leader itself.
fn authority(broker: u32, partition: &PartitionView) -> (i32, bool) {
    (partition.leader_epoch.unwrap_or(-1), partition.leader == Some(broker))
}

fn znode_topics(znodes: &Znodes) -> BTreeMap<String, TopicView> {
    let partition = |name: &String, partition: u32, replicas: &Vec<u32>| {
        let state = znodes.states.get(&(name.clone(), partition));
        let mut in_sync = state.map_or_else(Vec::new, |s| s.in_sync.clone());
        in_sync.sort_unstable();
        let mut offline: Vec<u32> =
            replicas.iter().copied().filter(|r| !znodes.ids.contains(r)).collect();
        offline.sort_unstable();
        PartitionView {
            partition,
            leader: state.and_then(|s| s.leader).filter(|l| znodes.ids.contains(l)),
            leader_epoch: state.map(|s| s.epoch),
            replicas: replicas.clone(),
            in_sync,
            offline,
            eligible: vec![],
        }
    };
    znodes
        .topics
        .iter()
        .map(|(name, replicas)| {
            let partitions = replicas.iter().map(|(p, r)| partition(name, *p, r)).collect();
            let internal = super::is_internal(name);
            (name.clone(), TopicView { internal, id: None, partitions })
        })
        .collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
