//! `fill_disk`

use async_trait::async_trait;
use kplan_dsl::steps::FillDisk;

use crate::{
    stage::outcome::StepError,
    steps::{Cx, Fault},
};

#[async_trait]
impl Fault for FillDisk {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        cx.stage.take_space(cx.id, &nodes, self.leave.0).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.free_disks(&cx.stage.full.filled_by(cx.id)).await
    }
}
