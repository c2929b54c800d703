//! `kill_broker`

use async_trait::async_trait;
use kplan_dsl::steps::KillBroker;

use crate::{
    stage::{nodes::Down, outcome::StepError},
    steps::{Cx, Fault, down},
};

#[async_trait]
impl Fault for KillBroker {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::take(&self.broker, Down::Kill, cx).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::bring_back(cx, Down::Kill).await
    }
}
