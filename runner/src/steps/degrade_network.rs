//! `degrade_network`: a slow or lossy line.

use kplan_dsl::steps::DegradeNetwork;

use crate::{
    cluster::{Link, Network, Node},
    stage::{nodes::names, outcome::StepError},
    steps::Cx,
};

/// Spoils the lines of nodes.
pub async fn degrade(args: &DegradeNetwork, cx: &Cx<'_>) -> Result<(), StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    let (network, what) = meant(args, &nodes);
    cx.stage.disturb(cx.id, network, what).await
}

/// What becomes of the nodes' lines, and in words.
pub fn meant(args: &DegradeNetwork, nodes: &[Node]) -> (Network, String) {
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
