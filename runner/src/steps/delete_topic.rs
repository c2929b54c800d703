//! `delete_topic`

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::steps::DeleteTopic;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

/// Limit until it is gone.
const SETTLE: Duration = Duration::from_secs(60);

#[async_trait]
impl Act for DeleteTopic {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let name = self.name.to_string();
        running.cluster.topics().delete_topic(&name).await?;
        cx.stage.topics.deleted(&name);
        let gone = cx
            .stage
            .view_until(SETTLE, |view| view.partitions(Some(&name)).next().is_none())
            .await?;
        if gone {
            return Ok(Done::default());
        }
        Err(StepError::not_in_time(format!("{name} was still listed after its deletion"), SETTLE))
    }
}
