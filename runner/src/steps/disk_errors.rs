//! `disk_errors`

use async_trait::async_trait;
use kplan_dsl::steps::DiskErrors;

use crate::{
    cluster::CallErrors,
    stage::{disk_calls::CallFault, outcome::StepError},
    steps::{Cx, Fault, disk_calls},
};

#[async_trait]
impl Fault for DiskErrors {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        let (kind, errno, share) = (self.kind, *self.errno, *self.share);
        let what = format!("{share} of its {kind}s fail with {errno}");
        let fault = CallFault::Fail(CallErrors { kind, errno, share });
        cx.stage.meet_calls(cx.id, &nodes, fault, &what).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        disk_calls::end(cx).await
    }
}
