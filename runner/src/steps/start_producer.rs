//! `start_producer`

use async_trait::async_trait;
use kplan_dsl::{StepHead, steps::StartProducer, value::Rate};

use crate::{
    client::spec::{ClientSpec, Common, ProducerSpec, TransactionSpec},
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx,
        new_client::{self, ClientDraft},
    },
};

#[async_trait]
impl Act for StartProducer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let partitions = new_client::partitions(&self.topic, &running).await?;
        let spec = spec(self, common, partitions, cx.stage.run.seed);
        new_client::begin(&self.name, ClientSpec::Producer(spec), 1, cx).await
    }

    fn client(&self, _: &StepHead) -> Option<ClientDraft<'_>> {
        let own = |common| ClientSpec::Producer(spec(self, common, 1, 0));
        Some(ClientDraft::new(&self.name, &self.config, own))
    }
}

fn spec(args: &StartProducer, common: Common, partitions: u32, seed: u64) -> ProducerSpec {
    ProducerSpec {
        common,
        topic: args.topic.to_string(),
        partitions,
        rate: match *args.rate {
            Rate::PerSecond(rate) => Some(rate),
            Rate::Max => None,
        },
        acks: *args.acks,
        idempotent: *args.idempotent,
        transactional: args
            .transactional
            .as_deref()
            .map(|t| TransactionSpec { messages: *t.messages, abort_percent: t.abort.0 }),
        payload_bytes: u32::try_from(args.payload.min.0).unwrap_or(u32::MAX),
        payload_most: Some(u32::try_from(args.payload.max.0).unwrap_or(u32::MAX)),
        headers: new_client::config(&args.headers),
        keys: args.keys.as_deref().copied(),
        count: args.count.as_deref().copied(),
        compression: args.compression.as_deref().map(ToString::to_string),
        seed,
    }
}
