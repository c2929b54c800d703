//! `power_loss`

use async_trait::async_trait;
use kplan_dsl::steps::PowerLoss;

use crate::{
    stage::{nodes::Down, outcome::StepError},
    steps::{Cx, Fault, down},
};

#[async_trait]
impl Fault for PowerLoss {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::take(&self.broker, Down::Power(self.keep), cx).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::bring_back(cx, Down::Power(self.keep)).await
    }
}
