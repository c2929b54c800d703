//! `stop_cluster`: brokers first, then controllers or ZooKeeper, gracefully; then everything is removed.

use async_trait::async_trait;
use kplan_dsl::steps::StopCluster;

use crate::{
    cluster::Node,
    event::LaneState,
    stage::{
        nodes::STOP_LIMIT,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx},
};

#[async_trait]
impl Act for StopCluster {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let (brokers, others): (Vec<Node>, Vec<Node>) =
            running.cluster.nodes().into_iter().partition(|n| matches!(n, Node::Broker(_)));
        // A cluster that existed before the plan is left running.
        let stopped = if running.cluster.borrowed() { vec![] } else { vec![brokers, others] };
        for nodes in stopped {
            cx.stage.lanes(&nodes, LaneState::Stopping, "stop_cluster");
            running.cluster.stop(&nodes, STOP_LIMIT).await?;
            cx.stage.lanes(&nodes, LaneState::Stopped, "stop_cluster");
        }
        cx.stage.place.set_running(None);
        cx.stage.disturbed.forget();
        cx.stage.requests.forget();
        cx.stage.give_back(&running).await?;
        running.cluster.destroy().await?;
        Ok(Done::default())
    }
}
