//! `start_consumer`

use async_trait::async_trait;
use kplan_dsl::{
    StepHead,
    steps::StartConsumer,
    value::{self, ClientProgram, GroupProtocol, StaticMembers},
};

use crate::{
    client::spec::{ClientSpec, Common, ConsumerSpec, VerifiableConsumerSpec},
    stage::{
        Running,
        outcome::{Done, StepError},
    },
    steps::{
        Act, Cx,
        new_client::{self, ClientDraft},
        other_client,
    },
};

#[async_trait]
impl Act for StartConsumer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let spec = match &self.client.program {
            Some(program) => {
                ClientSpec::VerifiableConsumer(of_program(self, program, &running, cx).await?)
            }
            None => {
                let user = self.user.as_deref();
                let common = new_client::common(&self.name, user, &self.config, &running, cx)?;
                ClientSpec::Consumer(spec(self, common))
            }
        };
        running.cluster.topics().expect_group(&self.group_name());
        let members = u16::try_from(*self.members).unwrap_or(u16::MAX);
        new_client::begin(&self.name, spec, members, cx).await
    }

    fn client(&self, _: &StepHead) -> Option<ClientDraft<'_>> {
        // librdkafka does not know the settings of other libraries.
        if self.client.program.is_some() {
            return None;
        }
        let own = |common| ClientSpec::Consumer(spec(self, common));
        Some(ClientDraft::new(&self.name, &self.config, own))
    }
}

async fn of_program(
    args: &StartConsumer,
    program: &ClientProgram,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<VerifiableConsumerSpec, StepError> {
    let none = value::Settings::default();
    let mut settings = new_client::config(&args.config);
    if *args.protocol == GroupProtocol::Consumer {
        settings.entry("group.protocol".to_owned()).or_insert_with(|| "consumer".to_owned());
    }
    let topic = args.topics.iter().next().map(ToString::to_string);
    let common = new_client::common(&args.name, args.user.as_deref(), &none, running, cx)?;
    Ok(VerifiableConsumerSpec {
        program: other_client::seeded(program, cx.stage.run.seed),
        place: other_client::place(&common, program, running, cx).await?,
        common,
        topic: topic.unwrap_or_default(),
        group: args.group_name(),
        from: args.from,
        commit: args.commit,
        isolation: args.isolation,
        instances: instances(args),
        settings,
    })
}

fn spec(args: &StartConsumer, common: Common) -> ConsumerSpec {
    ConsumerSpec {
        common,
        topics: args.topics.iter().map(ToString::to_string).collect(),
        group: args.group_name(),
        from: args.from,
        commit: args.commit,
        isolation: args.isolation,
        instances: instances(args),
        protocol: *args.protocol,
    }
}

/// The static names of its members; none if they are not static.
fn instances(args: &StartConsumer) -> Vec<String> {
    match &*args.fixed {
        StaticMembers::No => Vec::new(),
        StaticMembers::Numbered => {
            (1..=*args.members).map(|member| format!("kplan-{}-{member}", *args.name)).collect()
        }
        StaticMembers::Named(names) => names.iter().map(ToString::to_string).collect(),
    }
}
