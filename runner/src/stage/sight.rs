//! Whether the visible part of the cluster has a majority of the quorum, or is a minority side that may be outdated.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    cluster::{Network, Node, NodeState, Quorum},
    observer::{AuditBounds, ClusterView},
    stage::{Running, Stage, nodes::brokers_of, outcome::StepError},
};

/// How long to wait until a majority of the quorum is seen to follow a controller: its voters fetch every
/// half second, an election takes two seconds and a fetch.
pub const SHOWS_WITHIN: Duration = Duration::from_secs(5);
/// Time between two looks at that.
const PAUSE: Duration = Duration::from_millis(40);

/// Which nodes answer, and which do not.
#[derive(Debug)]
struct Side<'a> {
    /// Brokers that answer.
    answering: &'a BTreeSet<u32>,
    /// Nodes whose process runs.
    living: &'a BTreeSet<Node>,
    /// The nodes that vote for the controller.
    voters: &'a BTreeSet<Node>,
    /// The network faults of the plan.
    network: &'a Network,
}

impl Stage {
    /// The controller, none if it is known that there is none; waits up to `limit` for the proof.
    pub async fn controller(
        &self,
        limit: Duration,
    ) -> Result<Result<Option<u32>, String>, StepError> {
        let running = self.running()?;
        let begun = Instant::now();
        let since_us = self.breaks.cluster_since().unwrap_or(i64::MIN);
        let _pace = running.observer.hurry();
        loop {
            let reported = match running.observer.controller_since(since_us) {
                Ok(Some(id)) => self.in_touch(&running, id).await.map(|()| Some(id)),
                other => other,
            };
            if reported.is_ok() {
                return Ok(reported);
            }
            let left = limit.saturating_sub(begun.elapsed());
            let mut living = self.left_alive(&running);
            if left.is_zero() {
                living = runs(&running, living).await;
            }
            // Without a majority of its voters the quorum has no leader, and no node that could report that.
            let voters = voters(&running);
            if nobody_decides(&living, &voters) {
                return Ok(Ok(None));
            }
            if left.is_zero() {
                return Ok(reported);
            }
            tokio::time::sleep(PAUSE.min(left)).await;
        }
    }

    /// With ZooKeeper: whether the broker that ZooKeeper names as the controller can still act as it. ZooKeeper keeps
    /// the name until the broker's session ends (`zookeeper.session.timeout.ms`: 18 s, 6 s before Kafka 2.5), even
    /// if the broker is dead or cut off.
    async fn in_touch(&self, running: &Running, id: u32) -> Result<(), String> {
        if running.cluster.spec().mode != Quorum::Zookeeper {
            return Ok(());
        }
        let node = Node::Broker(id);
        let stands = |why: &str| {
            Err(format!(
                "ZooKeeper names broker {id} as the controller until its session ends, but {why}"
            ))
        };
        if cut_off(&running.cluster.nodes(), &self.disturbed.sum(), node) {
            return stands("it is cut off from ZooKeeper");
        }
        let answers = running.observer.view().brokers.get(&id).is_some_and(|b| b.answers);
        let left_alive = self.wanted.get(node) == NodeState::Running;
        let lives = left_alive && (answers || !runs(running, [node].into()).await.is_empty());
        if lives { Ok(()) } else { stands("it does not run") }
    }

    /// Whether leaders and in-sync sets of `view` may be judged.
    pub async fn whole(&self, view: &Arc<ClusterView>) -> Result<Result<(), String>, StepError> {
        let running = self.running()?;
        if running.cluster.simulated() {
            return Ok(Ok(()));
        }
        let since_us = self.breaks.cluster_since().unwrap_or(i64::MIN);
        if running.cluster.spec().mode == Quorum::Zookeeper {
            return Ok(running.observer.controller_since(since_us).map(drop));
        }
        if running.observer.broker_heard_since(since_us) {
            return Ok(Ok(()));
        }
        let answering: BTreeSet<u32> =
            view.brokers.iter().filter(|(_, b)| b.answers).map(|(n, _)| *n).collect();
        let (mut living, voters) = (self.left_alive(&running), voters(&running));
        let network = self.disturbed.sum();
        let side = |living: &BTreeSet<Node>| {
            one_side(&Side { answering: &answering, living, voters: &voters, network: &network })
        };
        if side(&living).is_some() {
            // A node that does not answer may have ended by itself.
            living = runs(&running, living).await;
        }
        let left_behind = || {
            let why = running.observer.outdated()?;
            Some(format!("the brokers that answer are outdated: {why}"))
        };
        Ok(side(&living).or_else(left_behind).map_or(Ok(()), Err))
    }

    /// [`crate::observer::Asker::audit_bounds`], without the logs of leaders that may have been replaced: messages
    /// that are missing there may still be in the cluster.
    pub async fn audit_bounds(
        &self,
        topics: &[String],
        limit: Duration,
    ) -> Result<AuditBounds, StepError> {
        let running = self.running()?;
        let mut bounds = running.observer.ask().audit_bounds(topics, limit).await;
        if let Err(why) = self.whole(&running.observer.view()).await? {
            let doubted = std::mem::take(&mut bounds.ready);
            bounds.not_ready.extend(doubted.into_keys().map(|key| (key, why.clone())));
        }
        Ok(bounds)
    }

    /// Nodes that the plan left alive.
    fn left_alive(&self, running: &Running) -> BTreeSet<Node> {
        let nodes = running.cluster.nodes().into_iter();
        nodes.filter(|n| self.wanted.get(*n) == NodeState::Running).collect()
    }
}

/// The nodes that did not end by themselves; a node of unknown state counts as running.
async fn runs(running: &Running, mut nodes: BTreeSet<Node>) -> BTreeSet<Node> {
    for node in nodes.clone() {
        if matches!(running.cluster.state(node).await, Ok(NodeState::Dead | NodeState::Paused)) {
            nodes.remove(&node);
        }
    }
    nodes
}

/// The nodes that vote for the controller (KRaft).
fn voters(running: &Running) -> BTreeSet<Node> {
    let all = running.cluster.nodes().into_iter();
    match running.cluster.spec().mode {
        Quorum::KraftSeparate(_) => all.filter(|n| matches!(n, Node::Controller(_))).collect(),
        Quorum::KraftCombined => all.collect(),
        Quorum::Zookeeper => BTreeSet::new(),
    }
}

/// Whether a majority of the voters is gone; false if the voters are unknown (controllers of an external cluster).
fn nobody_decides(living: &BTreeSet<Node>, voters: &BTreeSet<Node>) -> bool {
    !voters.is_empty() && !majority(living.intersection(voters).count(), voters)
}

/// Whether a node is cut off from every known ZooKeeper server (those of an external cluster are unknown).
fn cut_off(nodes: &[Node], network: &Network, node: Node) -> bool {
    let mut servers = nodes.iter().filter(|n| matches!(n, Node::Zookeeper(_))).peekable();
    servers.peek().is_some() && !servers.any(|server| reaches(network, node, *server))
}

/// Whether packets pass between two nodes in both directions.
fn reaches(network: &Network, a: Node, b: Node) -> bool {
    let dead = |node| network.links.get(&node).and_then(|l| l.loss).is_some_and(|loss| loss >= 1.0);
    let cut = network.cuts.contains(&(a, b)) || network.cuts.contains(&(b, a));
    !cut && !dead(a) && !dead(b)
}

fn majority(count: usize, of: &BTreeSet<Node>) -> bool {
    count * 2 > of.len()
}

/// Why the brokers that answer may be on the minority side, if none of them is known to reach a controller with a
/// majority.
fn one_side(side: &Side<'_>) -> Option<String> {
    const WHY: &str = "no broker that answers reaches a controller with a majority of the quorum";
    let brokers: BTreeSet<u32> =
        brokers_of(&side.living.iter().copied().collect::<Vec<_>>()).into_iter().collect();
    let seen = side.answering.intersection(&brokers).count();
    if seen * 2 <= brokers.len() && seen < brokers.len() {
        let answering: Vec<String> = side.answering.iter().map(u32::to_string).collect();
        let who = if answering.is_empty() { "none".to_owned() } else { answering.join(", ") };
        return Some(format!(
            "of {} living brokers only {seen} answer ({who}), and {WHY}: the others may \
             have gone on without them",
            brokers.len()
        ));
    }
    let voting: BTreeSet<Node> = side.living.intersection(side.voters).copied().collect();
    if !majority(voting.len(), side.voters) {
        // Without a majority no node can change leaders and in-sync sets now.
        return None;
    }
    let in_touch = |b: &u32| {
        let heard =
            |v: &&Node| **v == Node::Broker(*b) || reaches(side.network, Node::Broker(*b), **v);
        majority(voting.iter().filter(heard).count(), side.voters)
    };
    (!side.answering.iter().any(in_touch))
        .then(|| format!("{WHY}: all of them are cut off from a majority of its voters"))
}

#[cfg(test)]
#[path = "sight_tests.rs"]
mod tests;
