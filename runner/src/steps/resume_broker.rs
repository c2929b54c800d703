//! `resume_broker`

use async_trait::async_trait;
use kplan_dsl::steps::ResumeBroker;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for ResumeBroker {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        cx.stage.thaw(cx.id, &nodes).await?;
        Ok(Done::default())
    }
}
