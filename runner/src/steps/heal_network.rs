//! `heal_network`: everything is undone.

use async_trait::async_trait;
use kplan_dsl::steps::HealNetwork;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

/// Heals what every step did to the network; a network that is whole stays so without an error.
#[async_trait]
impl Act for HealNetwork {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        cx.stage.heal(None).await?;
        Ok(Done::default())
    }
}
