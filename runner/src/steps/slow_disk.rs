//! `slow_disk`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::steps::SlowDisk;

use crate::{
    cluster::{CallDelays, Node},
    stage::{disk_calls::CallFault, outcome::StepError},
    steps::{Cx, Fault, disk_calls},
};

#[async_trait]
impl Fault for SlowDisk {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        let &Self { read, write, sync, .. } = self;
        let what = format!("each read {read:?}, write {write:?} and sync {sync:?} longer");
        let fault = CallFault::Delay(CallDelays { read, write, sync });
        cx.stage.meet_calls(cx.id, &nodes, fault, &what).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        disk_calls::end(cx).await
    }

    /// Nodes with a slow disk are there.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}
