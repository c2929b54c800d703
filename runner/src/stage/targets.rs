//! Which nodes a target selects, decided when its step runs.

use std::{
    collections::BTreeSet,
    hash::{Hash as _, Hasher as _},
    sync::Arc,
};

use futures::future::{BoxFuture, FutureExt as _};
use kplan_dsl::value::Target;

use crate::{
    client::settings::transactional_id,
    cluster::{Node, NodeState},
    event::{Event, StepRun},
    observer::ClusterView,
    stage::{Running, Stage, outcome::StepError, sight::SHOWS_WITHIN},
};

/// The numbers of nodes that must all be brokers. An empty set is an error: every condition would hold for it.
fn only_brokers(nodes: &BTreeSet<Node>) -> Result<Vec<u32>, String> {
    if nodes.is_empty() {
        return Err("selects no broker now".to_owned());
    }
    let number = |node: &Node| match node {
        Node::Broker(id) => Ok(*id),
        other => Err(format!("selects {other}, which is not a broker")),
    };
    nodes.iter().map(number).collect()
}

impl Stage {
    /// Resolves a target for a step, reports the selected nodes, and records them for `same_as`.
    pub async fn resolve(&self, target: &Target, step: &StepRun) -> Result<Vec<Node>, StepError> {
        let nodes: Vec<Node> = self.meant(target, step).await?.into_iter().collect();
        if nodes.is_empty() {
            return Err(StepError::not_so(format!("{target} selects no node now")));
        }
        self.timeline.resolved(step, &nodes);
        self.tell.emit(Event::TargetResolved {
            step: step.clone(),
            target: target.to_string(),
            nodes: nodes.iter().map(ToString::to_string).collect(),
        });
        Ok(nodes)
    }

    /// The brokers that a condition's target selects.
    pub async fn brokers_meant(&self, target: &Target) -> Result<Vec<u32>, StepError> {
        let nodes = self.meant(target, &StepRun::default()).await?;
        only_brokers(&nodes).map_err(|why| StepError::not_so(format!("{target} {why}")))
    }

    /// The nodes that a target selects now, without reporting them.
    pub async fn nodes_meant(
        &self,
        target: &Target,
        step: &StepRun,
    ) -> Result<BTreeSet<Node>, StepError> {
        self.meant(target, step).await
    }

    fn meant<'a>(
        &'a self,
        target: &'a Target,
        step: &'a StepRun,
    ) -> BoxFuture<'a, Result<BTreeSet<Node>, StepError>> {
        async move {
            let running = self.running()?;
            let all: BTreeSet<Node> = running.cluster.nodes().into_iter().collect();
            let brokers: BTreeSet<Node> =
                all.iter().copied().filter(|n| matches!(n, Node::Broker(_))).collect();
            Ok(match target {
                Target::Broker(n) | Target::Dedicated(n) => [self.numbered(*n, &all)?].into(),
                Target::Several(list) => {
                    let mut nodes = BTreeSet::new();
                    for one in list {
                        nodes.extend(self.meant(one, step).await?);
                    }
                    nodes
                }
                Target::All => brokers,
                Target::Random => self.one_of(&self.living(&brokers), step).into_iter().collect(),
                Target::Controller => {
                    running.observer.fresh().await;
                    let id = self.controller(SHOWS_WITHIN).await?.map_err(StepError::lacks)?;
                    let id = id.ok_or_else(|| StepError::lacks("there is no controller"))?;
                    [self.numbered(id, &all)?].into()
                }
                Target::Controllers => {
                    all.into_iter().filter(|n| matches!(n, Node::Controller(_))).collect()
                }
                Target::Zookeeper => {
                    all.into_iter().filter(|n| matches!(n, Node::Zookeeper(_))).collect()
                }
                Target::LeaderOf(p) => {
                    let view = self.whole_view(&running).await?;
                    let leader = view.leader(&p.topic, p.partition);
                    let leader =
                        leader.ok_or_else(|| StepError::lacks(format!("{} has no leader", **p)))?;
                    [self.numbered(leader, &all)?].into()
                }
                Target::FollowersOf(p) => {
                    let view = self.whole_view(&running).await?;
                    view.followers(&p.topic, p.partition).into_iter().map(Node::Broker).collect()
                }
                Target::CoordinatorOf(group) => {
                    self.whole_view(&running).await?;
                    let id = running.observer.ask().coordinator_of(group).await?;
                    [self.numbered(id, &all)?].into()
                }
                Target::TransactionCoordinatorOf(client) => {
                    self.whole_view(&running).await?;
                    let id = transactional_id(&self.run.id, client);
                    let id = running.observer.ask().transaction_coordinator_of(&id).await?;
                    [self.numbered(id, &all)?].into()
                }
                Target::AnyOf(inner) => {
                    let nodes = self.meant(inner, step).await?;
                    self.one_of(&self.living(&nodes), step).into_iter().collect()
                }
                Target::Not(inner) => {
                    let but = self.meant(inner, step).await?;
                    brokers.difference(&but).copied().collect()
                }
                Target::SameAs(name) => {
                    let id = self.timeline.named(name).unwrap_or_default();
                    let nodes = self.timeline.resolved_by(&id);
                    let nodes = nodes.ok_or_else(|| {
                        StepError::not_so(format!("step \"{}\" has not run", **name))
                    })?;
                    nodes.into_iter().collect()
                }
            })
        }
        .boxed()
    }

    /// The current view of the cluster; fails if the view may be that of a minority side.
    async fn whole_view(&self, running: &Running) -> Result<Arc<ClusterView>, StepError> {
        let view = running.observer.fresh().await;
        self.whole(&view).await?.map_err(StepError::lacks)?;
        Ok(view)
    }

    fn numbered(&self, n: u32, all: &BTreeSet<Node>) -> Result<Node, StepError> {
        [Node::Broker(n), Node::Controller(n)]
            .into_iter()
            .find(|node| all.contains(node))
            .ok_or_else(|| StepError::not_so(format!("there is no broker or controller {n}")))
    }

    fn living(&self, nodes: &BTreeSet<Node>) -> Vec<Node> {
        nodes.iter().copied().filter(|n| self.wanted.get(*n) == NodeState::Running).collect()
    }

    /// The same choice for the same seed, step and candidates.
    fn one_of(&self, nodes: &[Node], step: &StepRun) -> Option<Node> {
        if nodes.is_empty() {
            return None;
        }
        let mut hasher = std::hash::DefaultHasher::new();
        (self.run.seed, self.suite, step.to_string()).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % nodes.len() as u64).unwrap_or(0);
        nodes.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_broker_is_never_left_out_silently() {
        assert_eq!(only_brokers(&[Node::Broker(2), Node::Broker(1)].into()), Ok(vec![1, 2]));
        for nodes in
            [vec![], vec![Node::Controller(101)], vec![Node::Broker(1), Node::Zookeeper(1)]]
        {
            assert!(only_brokers(&nodes.iter().copied().collect()).is_err(), "{nodes:?}");
        }
    }
}
