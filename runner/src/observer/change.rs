//! What changed between two views, for the timeline.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::view::{ClusterView, PartitionView, TopicView};

/// A change and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Monotonic microseconds.
    pub at_us: i64,
    pub change: Change,
}

/// One change in the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A broker now answers and is listed.
    BrokerAppeared {
        broker: u32,
    },
    /// A broker no longer answers, or is no longer listed.
    BrokerVanished {
        broker: u32,
    },
    /// The controller changed, or there is none.
    ControllerChanged {
        controller: Option<u32>,
    },
    TopicAppeared {
        topic: String,
    },
    TopicVanished {
        topic: String,
    },
    /// A partition's leader, epoch, replicas or in-sync set changed (or the partition is new).
    PartitionChanged {
        topic: String,
        /// Kafka's own topic.
        internal: bool,
        /// The partition when it was last seen; none if it is new.
        before: Option<Box<PartitionView>>,
        now: Box<PartitionView>,
        /// The new leader was neither in sync nor eligible before
        /// ([`PartitionView::elected_uncleanly`]).
        unclean: bool,
    },
}

/// The last known state of each topic. While no broker answers, no topics are
/// visible, and the first answer after that may already contain the outcome of an unclean election.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<String, TopicView>);

impl Memory {
    /// Stores the topics of `view`.
    pub fn keep(&mut self, view: &ClusterView) {
        for (name, topic) in view.topics.iter().filter(|(_, topic)| topic.id.is_some()) {
            self.0.insert(name.clone(), topic.clone());
        }
    }

    /// A partition of this very incarnation; without an id (before Kafka 2.8) it might be another one.
    fn recall(&self, name: &str, topic: &TopicView, partition: u32) -> Option<&PartitionView> {
        let known = self.0.get(name).filter(|known| known.id == topic.id)?;
        known.partitions.iter().find(|p| p.partition == partition)
    }
}

/// The changes from `before` to `now`.
pub fn changes(before: &ClusterView, now: &ClusterView, memory: &Memory) -> Vec<Change> {
    let mut out = Vec::new();
    let (were, are) = (before.brokers_alive(), now.brokers_alive());
    out.extend(are.difference(&were).map(|b| Change::BrokerAppeared { broker: *b }));
    out.extend(were.difference(&are).map(|b| Change::BrokerVanished { broker: *b }));
    if before.controller != now.controller {
        out.push(Change::ControllerChanged { controller: now.controller });
    }
    let names: BTreeSet<&String> = before.topics.keys().chain(now.topics.keys()).collect();
    for name in names {
        topic_changes(name, (before, now), memory, &mut out);
    }
    out
}

fn topic_changes(
    name: &str,
    (before, now): (&ClusterView, &ClusterView),
    memory: &Memory,
    out: &mut Vec<Change>,
) {
    let (was, is) = (before.topics.get(name), now.topics.get(name));
    let topic = || name.to_owned();
    let made_anew = matches!((was, is), (Some(a), Some(b)) if a.id != b.id);
    if was.is_some() && (is.is_none() || made_anew) {
        out.push(Change::TopicVanished { topic: topic() });
    }
    let Some(is) = is else { return };
    if was.is_none() || made_anew {
        out.push(Change::TopicAppeared { topic: topic() });
    }
    for partition in &is.partitions {
        let old = was
            .filter(|_| !made_anew)
            .and_then(|t| t.partitions.iter().find(|p| p.partition == partition.partition))
            .or_else(|| memory.recall(name, is, partition.partition));
        // The offline list follows the brokers, which have changes of their own.
        let same = |old: &PartitionView| {
            (old.leader, old.leader_epoch, &old.replicas, &old.in_sync)
                == (
                    partition.leader,
                    partition.leader_epoch,
                    &partition.replicas,
                    &partition.in_sync,
                )
        };
        if was.is_none() || !old.is_some_and(same) {
            let unclean = old.is_some_and(|old| partition.elected_uncleanly(old));
            out.push(Change::PartitionChanged {
                topic: topic(),
                internal: is.internal,
                before: old.cloned().map(Box::new),
                now: Box::new(partition.clone()),
                unclean,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::view::{BrokerView, TopicView};

    fn view(leader: Option<u32>, in_sync: &[u32], id: &str) -> ClusterView {
        let partition = PartitionView {
            partition: 0,
            leader,
            leader_epoch: Some(1),
            replicas: vec![1, 2],
            in_sync: in_sync.to_vec(),
            offline: vec![],
            eligible: vec![],
        };
        let topic =
            TopicView { internal: false, id: Some(id.to_owned()), partitions: vec![partition] };
        ClusterView { topics: [("t".to_owned(), topic)].into(), ..ClusterView::default() }
    }

    #[test]
    fn equal_views_differ_in_nothing_even_later() {
        let before = view(Some(1), &[1, 2], "a");
        let mut now = before.clone();
        now.at_us = 99;
        now.topics.get_mut("t").expect("made above").partitions[0].offline = vec![2];
        assert_eq!(changes(&before, &now, &Memory::default()), []);
    }

    #[test]
    fn a_shrunken_in_sync_set_is_told_with_what_it_was() {
        let (before, now) = (view(Some(1), &[1, 2], "a"), view(Some(1), &[1], "a"));
        let changes = changes(&before, &now, &Memory::default());
        let [Change::PartitionChanged { before: Some(was), now: is, .. }] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!((was.in_sync.len(), is.in_sync.len()), (2, 1));
    }

    #[test]
    fn an_unclean_election_is_one_that_no_in_sync_or_eligible_replica_won() {
        let unclean = |before: &ClusterView, now: &ClusterView| {
            let changes = changes(before, now, &Memory::default());
            let [Change::PartitionChanged { unclean, .. }] = changes[..] else {
                panic!("{changes:?}");
            };
            unclean
        };
        let alone = view(Some(1), &[1], "a");
        let headless = view(None, &[1], "a");
        let second = view(Some(2), &[2], "a");
        assert!(unclean(&alone, &second) && unclean(&headless, &second));
        assert!(unclean(&view(None, &[], "a"), &second));
        assert!(!unclean(&alone, &headless));
        assert!(!unclean(&headless, &alone));
        assert!(!unclean(&view(Some(1), &[1, 2], "a"), &second));
        let joined = view(Some(2), &[1, 2], "a");
        assert!(!unclean(&alone, &joined), "1 is in sync still: 2 joined it between two looks");
        let mut left_behind = second.clone();
        left_behind.topics.get_mut("t").expect("made above").partitions[0].leader_epoch = Some(0);
        assert!(!unclean(&alone, &left_behind), "2 missed that 1 was elected after it");
        let mut unborn = view(None, &[], "a");
        unborn.topics.get_mut("t").expect("made above").partitions[0].leader_epoch = None;
        assert!(!unclean(&unborn, &second), "a new topic's first leader");
        let mut eligible = headless;
        eligible.topics.get_mut("t").expect("made above").partitions[0].eligible = vec![2];
        assert!(!unclean(&eligible, &second));
    }

    #[test]
    fn an_unclean_election_is_told_though_nobody_answered_just_before() {
        let (silent, second) = (ClusterView::default(), view(Some(2), &[2], "a"));
        let unclean = |last: &ClusterView| {
            let mut memory = Memory::default();
            memory.keep(last);
            memory.keep(&silent);
            let changes = changes(&silent, &second, &memory);
            let [.., Change::PartitionChanged { unclean, .. }] = changes[..] else {
                panic!("{changes:?}");
            };
            unclean
        };
        assert!(unclean(&view(Some(1), &[1], "a")));
        assert!(!unclean(&view(Some(1), &[1, 2], "a")));
        assert!(!unclean(&view(Some(1), &[1], "b")), "another incarnation");
        assert!(!unclean(&silent));
    }

    #[test]
    fn a_topic_made_anew_vanishes_and_appears() {
        let changes =
            changes(&view(Some(1), &[1], "a"), &view(Some(1), &[1], "b"), &Memory::default());
        assert!(matches!(changes[0], Change::TopicVanished { .. }), "{changes:?}");
        assert!(matches!(changes[1], Change::TopicAppeared { .. }), "{changes:?}");
        assert!(matches!(changes[2], Change::PartitionChanged { before: None, .. }), "{changes:?}");
    }

    #[test]
    fn a_broker_that_is_listed_but_silent_vanished() {
        let mut before = ClusterView::default();
        before.brokers.insert(2, BrokerView { answers: true, listed: true, ..Default::default() });
        let mut now = before.clone();
        now.brokers.get_mut(&2).expect("made above").answers = false;
        now.controller = Some(3);
        assert_eq!(
            changes(&before, &now, &Memory::default()),
            [
                Change::BrokerVanished { broker: 2 },
                Change::ControllerChanged { controller: Some(3) }
            ]
        );
    }
}
