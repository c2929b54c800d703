//! `start_broker`

use async_trait::async_trait;
use kplan_dsl::steps::StartBroker;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for StartBroker {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        cx.stage.bring_up(cx.id, &nodes, self.data).await?;
        Ok(Done::default())
    }
}
