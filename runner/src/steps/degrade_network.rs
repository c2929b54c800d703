//! `degrade_network`: a slow or lossy link.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::steps::DegradeNetwork;

use crate::{
    cluster::{Link, Network, Node, ServiceLine},
    stage::{nodes::names, outcome::StepError},
    steps::{
        Cx, Fault,
        members::{LIVES, chosen, each},
    },
};

#[async_trait]
impl Fault for DegradeNetwork {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let (link, how) = meant(self);
        if let Some(service) = &self.service {
            let instances = chosen(service, LIVES, cx)?;
            let line = ServiceLine { link, ..ServiceLine::default() };
            let what = format!("has a degraded network: {how}");
            return cx.stage.disturb_services(cx.id, each(&instances), &line, &what).await;
        }
        let Some(broker) = &self.broker else {
            return Err(StepError::not_so("the step names neither a broker nor a service"));
        };
        let nodes = cx.stage.resolve(broker, cx.id).await?;
        let links = nodes.iter().map(|node| (*node, link)).collect();
        let network = Network { links, ..Network::default() };
        let what = format!("network of {} degraded: {how}", names(&nodes));
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

/// The degraded link, and its description.
fn meant(args: &DegradeNetwork) -> (Link, String) {
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
    (link, words.join(", "))
}
