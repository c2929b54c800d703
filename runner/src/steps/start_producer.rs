//! `start_producer`

use async_trait::async_trait;
use kplan_dsl::{
    StepHead,
    steps::StartProducer,
    value::{self, ClientProgram, Rate},
};

use crate::{
    client::spec::{ClientSpec, Common, ProducerSpec, TransactionSpec, VerifiableProducerSpec},
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
impl Act for StartProducer {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        if let Some(program) = &self.client.program {
            let spec = of_program(self, program, &running, cx).await?;
            return new_client::begin(&self.name, ClientSpec::VerifiableProducer(spec), 1, cx)
                .await;
        }
        let common =
            new_client::common(&self.name, self.user.as_deref(), &self.config, &running, cx)?;
        let partitions = new_client::partitions(&self.topic, &running).await?;
        let spec = spec(self, common, partitions, cx.stage.run.seed);
        new_client::begin(&self.name, ClientSpec::Producer(spec), 1, cx).await
    }

    fn client(&self, _: &StepHead) -> Option<ClientDraft<'_>> {
        // librdkafka does not know the settings of other libraries.
        if self.client.program.is_some() {
            return None;
        }
        let own = |common| ClientSpec::Producer(spec(self, common, 1, 0));
        Some(ClientDraft::new(&self.name, &self.config, own))
    }
}

async fn of_program(
    args: &StartProducer,
    program: &ClientProgram,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<VerifiableProducerSpec, StepError> {
    let none = value::Settings::default();
    let common = new_client::common(&args.name, args.user.as_deref(), &none, running, cx)?;
    Ok(VerifiableProducerSpec {
        program: other_client::seeded(program, cx.stage.run.seed),
        place: other_client::place(&common, program, running, cx).await?,
        common,
        topic: args.topic.to_string(),
        rate: match *args.rate {
            // The check refuses fractions.
            Rate::PerSecond(rate) => Some(rate as u64),
            Rate::Max => None,
        },
        acks: *args.acks,
        keys: args.keys.as_deref().copied(),
        count: args.count.as_deref().copied(),
        settings: new_client::config(&args.config),
    })
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
        value: args.own_value().cloned(),
        tombstones: args.tombstones.as_deref().map_or(0.0, |share| share.0),
        key: args.key.as_deref().cloned(),
        headers: args.headers.iter().map(|(name, text)| (name.to_owned(), text.clone())).collect(),
        timestamp: args.timestamp.as_deref().copied(),
        keys: args.keys.as_deref().copied(),
        count: args.count.as_deref().copied(),
        compression: args.compression.as_deref().map(ToString::to_string),
        seed,
    }
}
