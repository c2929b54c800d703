//! `start_consumer`

use async_trait::async_trait;
use kplan_dsl::{StepHead, steps::StartConsumer};

use crate::{
    client::spec::{ClientSpec, Common, ConsumerSpec},
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx,
        new_client::{self, ClientDraft},
    },
};

#[async_trait]
impl Act for StartConsumer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let spec = spec(self, common);
        running.cluster.topics().expect_group(&spec.group);
        let members = u16::try_from(*self.members).unwrap_or(u16::MAX);
        new_client::begin(&self.name, ClientSpec::Consumer(spec), members, cx).await
    }

    fn client(&self, _: &StepHead) -> Option<ClientDraft<'_>> {
        let own = |common| ClientSpec::Consumer(spec(self, common));
        Some(ClientDraft::new(&self.name, &self.config, own))
    }
}

fn spec(args: &StartConsumer, common: Common) -> ConsumerSpec {
    ConsumerSpec {
        common,
        topics: args.topics.iter().map(ToString::to_string).collect(),
        group: args.group_name(),
        from: args.from,
        commit: args.commit,
        isolation: args.isolation,
        fixed: *args.fixed,
    }
}
