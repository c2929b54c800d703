//! `corrupt_disk`

use async_trait::async_trait;
use kplan_dsl::steps::CorruptDisk;

use crate::{
    segments::FileDamage,
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for CorruptDisk {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        let damage = FileDamage { what: *self.what, place: *self.place, bytes: self.size().0 };
        cx.stage.damage(cx.id, &nodes, &self.partition, damage).await?;
        Ok(Done::default())
    }
}
