//! `start_consumer`

use async_trait::async_trait;
use kplan_dsl::steps::StartConsumer;

use crate::{
    client::of_plan,
    stage::{
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, new_client},
};

#[async_trait]
impl Act for StartConsumer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let spec = of_plan::consumer(self, common);
        running.cluster.topics().expect_group(&spec.group);
        let members = u16::try_from(*self.members).unwrap_or(u16::MAX);
        new_client::begin(&self.name, Template::Consumer(spec), members, cx).await
    }
}
