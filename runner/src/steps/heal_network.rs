//! `heal_network`: undoes all network faults.

use async_trait::async_trait;
use kplan_dsl::steps::HealNetwork;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

/// Undoes the network faults of every step; without any fault it does nothing.
#[async_trait]
impl Act for HealNetwork {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        cx.stage.heal(None).await?;
        Ok(Done::default())
    }
}
