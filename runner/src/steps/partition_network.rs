//! `partition_network`: cuts connections between nodes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::{Spanned, steps::PartitionNetwork, value::NetworkClients};

use crate::{
    cluster::{Network, Node, ServiceLine},
    stage::{nodes::names, outcome::StepError},
    steps::{
        Cx, Fault, meant_by,
        members::{LIVES, chosen, each},
    },
};

#[async_trait]
impl Fault for PartitionNetwork {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        if let Some(service) = &self.service {
            let instances = chosen(service, LIVES, cx)?;
            let nodes = cx.stage.running()?.cluster.nodes().into_iter().collect();
            let line = ServiceLine { cut: nodes, ..ServiceLine::default() };
            let what = "cut off from the brokers";
            return cx.stage.disturb_services(cx.id, each(&instances), &line, what).await;
        }
        let (network, what) = meant(self, cx).await?;
        cx.stage.disturb(cx.id, network, what).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.heal(Some(cx.id)).await
    }

    /// With groups, all nodes outside the largest group.
    async fn takes_away(&self, cx: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        if self.service.is_some() {
            return Ok(BTreeSet::new());
        }
        if self.groups.is_none() {
            return meant_by(cx).await;
        }
        let all = cx.stage.running()?.cluster.nodes().into_iter().collect();
        let mut groups = groups(self, &all);
        groups.sort_by_key(BTreeSet::len);
        groups.pop();
        Ok(groups.into_iter().flatten().collect())
    }
}

/// The cuts, and their description.
async fn meant(args: &PartitionNetwork, cx: &Cx<'_>) -> Result<(Network, String), StepError> {
    let all: BTreeSet<Node> = cx.stage.running()?.cluster.nodes().into_iter().collect();
    let (mut network, mut named, mut what) = if args.groups.is_some() {
        let groups = groups(args, &all);
        let words: Vec<String> = groups.iter().map(listed).collect();
        let named: BTreeSet<Node> = groups.iter().flatten().copied().collect();
        (Network::parted(&groups), named, format!("network partitioned: {}", words.join(" | ")))
    } else if let Some(target) = &args.isolate {
        let alone: BTreeSet<Node> = cx.stage.resolve(target, cx.id).await?.into_iter().collect();
        let rest: BTreeSet<Node> = all.difference(&alone).copied().collect();
        let what = format!("{} isolated", listed(&alone));
        (Network::parted(&[alone.clone(), rest]), alone, what)
    } else if let (Some(from), Some(to)) = (&args.from, &args.to) {
        // `same_as` selects the side whose packets are dropped: it is resolved last.
        let to = cx.stage.resolve(to, cx.id).await?;
        let from = cx.stage.resolve(from, cx.id).await?;
        let pairs = from.iter().flat_map(|f| to.iter().map(move |t| (*f, *t)));
        let cuts = pairs.filter(|(f, t)| f != t).collect();
        let what = format!("packets from {} do not reach {}", names(&from), names(&to));
        (Network { cuts, ..Network::default() }, from.into_iter().chain(to).collect(), what)
    } else {
        return Err(StepError::not_so("the step names neither groups nor brokers"));
    };
    if network.is_whole() {
        return Err(StepError::not_so(format!("{what}: there are no nodes to cut off")));
    }
    if args.clients == NetworkClients::Cut {
        named.retain(|n| matches!(n, Node::Broker(_)));
        network.unreachable = named;
        what.push_str(", from clients too");
    }
    Ok((network, what))
}

/// The groups that a step names, and the rest.
fn groups(args: &PartitionNetwork, all: &BTreeSet<Node>) -> Vec<BTreeSet<Node>> {
    let numbers = |group: &Vec<Spanned<u32>>| group.iter().map(|n| **n).collect();
    let named: Vec<Vec<u32>> = args.groups.iter().flat_map(|g| g.iter()).map(numbers).collect();
    grouped(&named, all)
}

/// The groups as nodes; brokers in no named group form one more group. Controllers and ZooKeeper nodes in no named
/// group are in none: they keep their connections to all.
fn grouped(groups: &[Vec<u32>], all: &BTreeSet<Node>) -> Vec<BTreeSet<Node>> {
    let node = |n: &u32| if *n > 100 { Node::Controller(*n) } else { Node::Broker(*n) };
    let mut parts: Vec<BTreeSet<Node>> =
        groups.iter().map(|g| g.iter().map(node).filter(|n| all.contains(n)).collect()).collect();
    let is_left = |n: &&Node| matches!(n, Node::Broker(_)) && !parts.iter().any(|p| p.contains(n));
    let rest: BTreeSet<Node> = all.iter().filter(is_left).copied().collect();
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

fn listed(nodes: &BTreeSet<Node>) -> String {
    names(&nodes.iter().copied().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_no_group_names_are_one_group() {
        let all: BTreeSet<Node> =
            (1..=4).map(Node::Broker).chain([Node::Controller(101), Node::Zookeeper(1)]).collect();
        let parts = grouped(&[vec![1], vec![2]], &all);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2], [Node::Broker(3), Node::Broker(4)].into());
        let parts = grouped(&[vec![1, 101], vec![2, 3, 4]], &all);
        assert_eq!(parts.len(), 2, "nobody is left");
        assert!(parts[0].contains(&Node::Controller(101)));
        assert_eq!(listed(&parts[0]), "broker 1 and controller 101");
    }
}
