//! Whether a fault would break what chaos must keep.

use std::collections::BTreeSet;

use kplan_dsl::{Conditions, conditions::Condition};

use crate::observer::{ClusterView, PartitionView};

/// Describes what of `keep` would no longer hold if these brokers were gone from the view. Only the number of
/// living brokers and the in-sync sets are predicted; other conditions are judged as they hold now.
pub fn broken_by(keep: &Conditions, view: &ClusterView, gone: &BTreeSet<u32>) -> Option<String> {
    keep.iter().find_map(|condition| broken(condition, view, gone))
}

fn broken(condition: &Condition, view: &ClusterView, gone: &BTreeSet<u32>) -> Option<String> {
    match condition {
        Condition::All(inner) => broken_by(&inner.0, view, gone),
        Condition::BrokersAlive(c) => {
            let bound = c.bound?;
            let left = view.brokers_alive().iter().filter(|b| !gone.contains(b)).count();
            (!bound.holds(left as u64)).then(|| format!("{left} brokers would be alive"))
        }
        Condition::InSync(c) => {
            let bound = c.replicas?;
            let partitions: Vec<(&str, &PartitionView)> = match c.partition.as_deref() {
                Some(p) => {
                    let known = view.partition(&p.topic, p.partition);
                    known.map(|v| (p.topic.as_str(), v)).into_iter().collect()
                }
                None => view.partitions(c.topic.as_deref().map(|t| t.as_str())).collect(),
            };
            partitions.into_iter().find_map(|(topic, p)| {
                let left = p.in_sync.iter().filter(|b| !gone.contains(b)).count();
                let holds = bound.holds(left as u64);
                (!holds).then(|| format!("{topic}/{} would have {left} in sync", p.partition))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use kplan_dsl::{
        Span, Spanned,
        conditions::{BrokersAlive, InSync},
        value::Bound,
    };

    use super::*;
    use crate::observer::{BrokerView, TopicView};

    fn view(alive: &[u32], in_sync: &[u32]) -> ClusterView {
        let broker =
            |n: &u32| (*n, BrokerView { answers: true, listed: true, ..BrokerView::default() });
        let partition = PartitionView { in_sync: in_sync.to_vec(), ..PartitionView::default() };
        let topic = TopicView { partitions: vec![partition], ..TopicView::default() };
        ClusterView {
            brokers: alive.iter().map(broker).collect(),
            topics: [("orders".to_owned(), topic)].into(),
            ..ClusterView::default()
        }
    }

    fn keep(condition: Condition) -> Conditions {
        Conditions(vec![Spanned::new(condition, Span::default())])
    }

    #[test]
    fn living_brokers_are_foreseen() {
        let bound = Some(Bound::AtLeast(2));
        let keep = keep(Condition::BrokersAlive(BrokersAlive { bound }));
        let all = view(&[1, 2, 3], &[]);
        assert_eq!(broken_by(&keep, &all, &[1].into()), None);
        let found = broken_by(&keep, &all, &[1, 3].into());
        assert_eq!(found.as_deref(), Some("1 brokers would be alive"));
        // A broker that is dead already does not count twice.
        assert_eq!(broken_by(&keep, &view(&[1, 2], &[]), &[3].into()), None);
        assert!(broken_by(&keep, &view(&[1, 2], &[]), &[2].into()).is_some());
    }

    #[test]
    fn in_sync_sets_are_foreseen() {
        let replicas = Some(Bound::AtLeast(2));
        let in_sync = InSync { topic: None, partition: None, replicas };
        let keep = keep(Condition::InSync(in_sync));
        assert_eq!(broken_by(&keep, &view(&[1, 2, 3], &[1, 2, 3]), &[1].into()), None);
        let found = broken_by(&keep, &view(&[1, 2, 3], &[1, 2]), &[1].into());
        assert_eq!(found.as_deref(), Some("orders/0 would have 1 in sync"));
        assert_eq!(broken_by(&keep, &view(&[1, 2, 3], &[1, 2]), &[3].into()), None);
    }
}
