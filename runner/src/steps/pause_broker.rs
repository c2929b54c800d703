//! `pause_broker`

use async_trait::async_trait;
use kplan_dsl::steps::PauseBroker;

use crate::{
    cluster::NodeState,
    stage::outcome::StepError,
    steps::{Cx, Fault},
};

#[async_trait]
impl Fault for PauseBroker {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        cx.stage.pause_nodes(cx.id, &nodes).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        match cx.stage.wanted.made_by(cx.id, NodeState::Paused) {
            paused if paused.is_empty() => Ok(()),
            paused => cx.stage.thaw(cx.id, &paused).await,
        }
    }
}
