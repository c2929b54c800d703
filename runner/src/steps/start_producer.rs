//! `start_producer`

use async_trait::async_trait;
use kplan_dsl::steps::StartProducer;

use crate::{
    client::of_plan,
    stage::{
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, new_client},
};

#[async_trait]
impl Act for StartProducer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let partitions = new_client::partitions(&self.topic, &running).await?;
        let spec = of_plan::producer(self, common, partitions, cx.stage.run.seed);
        new_client::begin(&self.name, Template::Producer(spec), 1, cx).await
    }
}
