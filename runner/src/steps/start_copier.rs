//! `start_copier`: all else is done to it as to other clients.

use async_trait::async_trait;
use kplan_dsl::steps::StartCopier;

use crate::{
    client::of_plan,
    stage::{
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, new_client},
};

#[async_trait]
impl Act for StartCopier {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let partitions = new_client::partitions(&self.to, &running).await?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let spec = of_plan::copier(self, common, partitions);
        running.cluster.topics().expect_group(&spec.group);
        new_client::begin(&self.name, Template::Copier(spec), 1, cx).await
    }
}
