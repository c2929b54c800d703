//! `start_copier`: all other steps treat a copier as any other client.

use async_trait::async_trait;
use kplan_dsl::{StepHead, steps::StartCopier};

use crate::{
    client::spec::{ClientSpec, Common, CopierSpec},
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx,
        new_client::{self, ClientDraft},
    },
};

#[async_trait]
impl Act for StartCopier {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let partitions = new_client::partitions(&self.to, &running).await?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let spec = spec(self, common, partitions);
        running.cluster.topics().expect_group(&spec.group);
        new_client::begin(&self.name, ClientSpec::Copier(spec), 1, cx).await
    }

    fn client(&self, _: &StepHead) -> Option<ClientDraft<'_>> {
        let own = |common| ClientSpec::Copier(spec(self, common, 1));
        Some(ClientDraft::new(&self.name, &self.config, own))
    }
}

fn spec(args: &StartCopier, common: Common, partitions: u32) -> CopierSpec {
    CopierSpec {
        common,
        from: args.from.to_string(),
        to: args.to.to_string(),
        partitions,
        group: args.group_name(),
        messages: *args.messages,
        isolation: args.isolation,
    }
}
