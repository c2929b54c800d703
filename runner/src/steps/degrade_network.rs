//! `degrade_network`: a slow or lossy link.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::steps::DegradeNetwork;

use crate::{
    cluster::{Link, Network, Node},
    stage::{nodes::names, outcome::StepError},
    steps::{Cx, Fault},
};

#[async_trait]
impl Fault for DegradeNetwork {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        let (network, what) = meant(self, &nodes);
        cx.stage.disturb(cx.id, network, what).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.heal(Some(cx.id)).await
    }

    /// Nodes with slow links are still available.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}

/// The degraded links, and their description.
fn meant(args: &DegradeNetwork, nodes: &[Node]) -> (Network, String) {
    let link = Link {
        latency: args.latency.as_deref().copied(),
        jitter: args.jitter.as_deref().copied(),
        loss: args.loss.as_deref().map(|p| p.0 / 100.0),
        bandwidth: args.bandwidth.as_deref().map(|b| b.0),
    };
    let words: Vec<String> = [
        link.latency.map(|d| format!("{d:?} of latency")),
        link.jitter.map(|d| format!("{d:?} of jitter")),
        args.loss.as_ref().map(|p| format!("{p} of loss")),
        args.bandwidth.as_ref().map(|b| format!("at most {b}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let network =
        Network { links: nodes.iter().map(|n| (*n, link)).collect(), ..Network::default() };
    (network, format!("network of {} degraded: {}", names(nodes), words.join(", ")))
}
