//! Network faults between nodes, on any backend.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::Node;

/// All network faults at one time; none by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Packets from the first node do not reach the second.
    pub cuts: BTreeSet<(Node, Node)>,
    /// Nodes without a connection to this machine's clients, in both directions.
    pub unreachable: BTreeSet<Node>,
    /// Nodes with a degraded link.
    pub links: BTreeMap<Node, Link>,
}

/// A degraded link; a field that is none has no effect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Added to every packet that the node sends.
    pub latency: Option<Duration>,
    /// How far the latency varies.
    pub jitter: Option<Duration>,
    /// The share, 0 to 1, of the packets from and to the node that are lost.
    pub loss: Option<f64>,
    /// Bytes a second that the node can send.
    pub bandwidth: Option<u64>,
}

impl Link {
    /// Of two settings the later holds.
    fn add(&mut self, later: &Self) {
        self.latency = later.latency.or(self.latency);
        // Jitter belongs to its latency.
        self.jitter = if later.latency.is_some() { later.jitter } else { self.jitter };
        self.loss = later.loss.or(self.loss);
        self.bandwidth = later.bandwidth.or(self.bandwidth);
    }
}

/// What is wrong between the container of a service and the nodes; nothing by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceLine {
    /// The nodes that it cannot reach.
    pub cut: BTreeSet<Node>,
    pub link: Link,
}

impl ServiceLine {
    /// Nothing is wrong.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another step made wrong.
    pub fn add(&mut self, later: &Self) {
        self.cut.extend(&later.cut);
        self.link.add(&later.link);
    }
}

impl Network {
    /// There is no fault.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Adds further faults; of two settings of one link the later holds.
    pub fn add(&mut self, more: &Self) {
        self.cuts.extend(&more.cuts);
        self.unreachable.extend(&more.unreachable);
        for (node, link) in &more.links {
            self.links.entry(*node).or_default().add(link);
        }
    }

    /// Cuts in both directions between every two of these groups.
    pub fn parted(groups: &[BTreeSet<Node>]) -> Self {
        let mut network = Self::default();
        for (i, one) in groups.iter().enumerate() {
            let others = groups.iter().enumerate().filter(|(j, _)| *j != i);
            for other in others.flat_map(|(_, group)| group) {
                network.cuts.extend(one.iter().map(|node| (*node, *other)));
            }
        }
        network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(ids: &[u32]) -> BTreeSet<Node> {
        ids.iter().map(|n| Node::Broker(*n)).collect()
    }

    #[test]
    fn groups_do_not_reach_each_other_and_reach_themselves() {
        let network = Network::parted(&[brokers(&[1]), brokers(&[2, 3])]);
        let cut = |a, b| network.cuts.contains(&(Node::Broker(a), Node::Broker(b)));
        assert!(cut(1, 2) && cut(2, 1) && cut(1, 3) && cut(3, 1));
        assert!(!cut(2, 3) && !cut(3, 2) && !cut(1, 1));
        assert_eq!(network.cuts.len(), 4);
        assert!(Network::parted(&[brokers(&[1, 2])]).is_whole());
    }

    #[test]
    fn faults_of_several_steps_add_up() {
        let mut network = Network::parted(&[brokers(&[1]), brokers(&[2])]);
        let second = Duration::from_secs(1);
        let link = |latency, jitter, loss| Link { latency, jitter, loss, bandwidth: None };
        let with = |link| Network { links: [(Node::Broker(1), link)].into(), ..Network::default() };
        network.add(&with(link(Some(second), Some(second), None)));
        network.add(&with(link(None, None, Some(0.1))));
        assert_eq!(network.links[&Node::Broker(1)], link(Some(second), Some(second), Some(0.1)));
        network.add(&with(link(Some(second * 2), None, None)));
        assert_eq!(network.links[&Node::Broker(1)], link(Some(second * 2), None, Some(0.1)));
        assert_eq!(network.cuts.len(), 2);
    }
}
