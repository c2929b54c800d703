//! Recognizes brokers that missed the cluster's last decisions.
//!
//! A broker that was cut off keeps reporting its last known state, and it may be the only broker that still answers:
//! no other broker contradicts it when those that went on without it are gone. Two signs show it: the others
//! did not list it while they answered, and it reports older leader epochs than were seen before
//! (they only grow).

use std::collections::{BTreeMap, BTreeSet};

use super::view::ClusterView;

/// What was observed about brokers that were left behind.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Brokers that the others went on without.
    left_out: BTreeSet<u32>,
    epochs: Epochs,
}

impl Behind {
    /// Stores what is new in `view`.
    pub(super) fn keep(&mut self, view: &ClusterView) {
        self.epochs.keep(view);
        for (broker, reported) in view.brokers.iter().filter(|(_, b)| b.answers) {
            if !reported.listed {
                self.left_out.insert(*broker);
            }
        }
        let answers = |b: &u32| view.brokers.get(b).is_some_and(|b| b.answers);
        let current: BTreeSet<u32> = view
            .brokers
            .keys()
            .filter(|b| answers(b) && !self.left_out.contains(b))
            .copied()
            .collect();
        // A broker that went on with the others lists it again.
        self.left_out.retain(|broker| {
            let reported = view.brokers.get(broker).filter(|b| b.listed);
            reported.is_none_or(|b| b.listed_by.is_disjoint(&current))
        });
    }

    /// `broker` reached a controller that has a majority: its metadata is current again.
    pub(super) fn in_touch(&mut self, broker: u32) {
        self.left_out.remove(&broker);
    }

    /// Why `view` may be older than the cluster's last decision, if it may.
    pub(super) fn outdated(&self, view: &ClusterView) -> Option<String> {
        let answering = || view.brokers.iter().filter(|(_, b)| b.answers).map(|(n, _)| *n);
        if answering().next().is_some() && answering().all(|b| self.left_out.contains(&b)) {
            let who: Vec<String> = answering().map(|b| b.to_string()).collect();
            return Some(format!("the others went on without broker {}", who.join(", ")));
        }
        self.epochs.outdated(view)
    }
}

/// Leader epochs by topic, of topics that have an id (Kafka 2.8 on): without an id, a topic that is created again
/// could not be recognized and begins with epoch 0.
#[derive(Debug, Default)]
struct Epochs(BTreeMap<String, Known>);

#[derive(Debug, Default)]
struct Known {
    /// The topic's newest incarnation.
    id: String,
    /// The ids of earlier incarnations.
    former: BTreeSet<String>,
    epochs: BTreeMap<u32, i32>,
}

impl Epochs {
    fn keep(&mut self, view: &ClusterView) {
        for (name, topic) in &view.topics {
            let Some(id) = &topic.id else { continue };
            let known = self.0.entry(name.clone()).or_default();
            if known.former.contains(id) {
                continue;
            }
            if known.id != *id {
                known.epochs.clear();
                known.former.insert(std::mem::replace(&mut known.id, id.clone()));
            }
            for partition in &topic.partitions {
                let Some(epoch) = partition.leader_epoch else { continue };
                let newest = known.epochs.entry(partition.partition).or_insert(epoch);
                *newest = epoch.max(*newest);
            }
        }
    }

    /// Describes what in `view` is older than an earlier view, if anything.
    fn outdated(&self, view: &ClusterView) -> Option<String> {
        view.topics.iter().find_map(|(name, topic)| {
            let known = self.0.get(name)?;
            let id = topic.id.as_ref()?;
            if known.former.contains(id) {
                return Some(format!("{name} was deleted and created again since"));
            }
            if known.id != *id {
                return None;
            }
            topic.partitions.iter().find_map(|p| {
                let (reported, newest) = (p.leader_epoch?, *known.epochs.get(&p.partition)?);
                let place = format!("{name}/{}", p.partition);
                (reported < newest).then(|| {
                    format!(
                        "they show {place} in leader epoch {reported}, but {newest} was seen before"
                    )
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::view::{BrokerView, PartitionView, TopicView};

    /// The brokers that answer, and by which brokers each is listed.
    fn listed(answering: &[(u32, bool, &[u32])]) -> ClusterView {
        let broker = |(n, listed, by): &(u32, bool, &[u32])| {
            let listed_by = by.iter().copied().collect();
            (*n, BrokerView { answers: true, listed: *listed, listed_by, ..BrokerView::default() })
        };
        let brokers = answering.iter().map(broker).collect();
        ClusterView { brokers, ..ClusterView::default() }
    }

    #[test]
    fn whom_the_others_went_on_without_is_not_believed_alone() {
        let mut behind = Behind::default();
        let all = listed(&[(1, true, &[1, 2, 3]), (2, true, &[1, 2, 3]), (3, true, &[1, 2, 3])]);
        let alone = listed(&[(1, true, &[1])]);
        behind.keep(&all);
        assert_eq!(behind.outdated(&alone), None, "the others died beside it");
        let fenced = listed(&[(1, false, &[1]), (2, true, &[1, 2, 3]), (3, true, &[1, 2, 3])]);
        behind.keep(&fenced);
        assert_eq!(behind.outdated(&fenced), None, "2 and 3 know");
        behind.keep(&alone);
        let why = behind.outdated(&alone).expect("1 was left behind");
        assert!(why.contains("without broker 1"), "{why}");
        assert_eq!(behind.outdated(&ClusterView::default()), None, "nobody answers");
        behind.in_touch(1);
        assert_eq!(behind.outdated(&alone), None, "it reached the controller since");
        behind.keep(&fenced);
        behind.keep(&all);
        behind.keep(&alone);
        assert_eq!(behind.outdated(&alone), None, "it was back before the others died");
    }

    fn view(id: Option<&str>, epoch: Option<i32>) -> ClusterView {
        let partition = PartitionView { leader_epoch: epoch, ..PartitionView::default() };
        let id = id.map(str::to_owned);
        let topic = TopicView { internal: false, id, partitions: vec![partition] };
        ClusterView { topics: [("t".to_owned(), topic)].into(), ..ClusterView::default() }
    }

    #[test]
    fn who_was_left_behind_tells_an_older_epoch_and_nobody_else_does() {
        let mut epochs = Epochs::default();
        let (first, second) = (view(Some("a"), Some(5)), view(Some("a"), Some(7)));
        assert_eq!(epochs.outdated(&first), None, "nothing is known before");
        epochs.keep(&first);
        epochs.keep(&second);
        let why = epochs.outdated(&first).expect("5 after 7");
        assert!(why.contains("t/0 in leader epoch 5, but 7"), "{why}");
        epochs.keep(&first);
        assert!(epochs.outdated(&first).is_some(), "hearing it again makes it no newer");
        assert_eq!(epochs.outdated(&second), None);
        assert_eq!(epochs.outdated(&ClusterView::default()), None, "nobody answers");
        assert_eq!(epochs.outdated(&view(Some("a"), None)), None, "a leader epoch is not reported");
        let anew = view(Some("b"), Some(0));
        assert_eq!(epochs.outdated(&anew), None, "another topic of that name");
        epochs.keep(&anew);
        assert_eq!(epochs.outdated(&anew), None);
        epochs.keep(&second);
        assert!(epochs.outdated(&second).is_some(), "the topic before that");
        assert_eq!(epochs.outdated(&anew), None);
        let mut nameless = Epochs::default();
        nameless.keep(&view(None, Some(7)));
        assert_eq!(nameless.outdated(&view(None, Some(0))), None, "it may be another one");
    }
}
