//! `free_disk`

use async_trait::async_trait;
use kplan_dsl::steps::FreeDisk;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

/// Frees disks; a disk that was never filled is no error.
#[async_trait]
impl Act for FreeDisk {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        cx.stage.free_disks(&nodes).await?;
        Ok(Done::default())
    }
}
