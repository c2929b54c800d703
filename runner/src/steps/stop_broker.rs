//! `stop_broker`: a graceful shutdown.

use async_trait::async_trait;
use kplan_dsl::steps::StopBroker;

use crate::{
    stage::{nodes::Down, outcome::StepError},
    steps::{Cx, Fault, down},
};

#[async_trait]
impl Fault for StopBroker {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::take(&self.broker, Down::Stop, cx).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::bring_back(cx, Down::Stop).await
    }
}
