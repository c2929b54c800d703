//! A plan's steps as specifications of clients: the same for a check and for a run.

use indexmap::IndexMap;
use kplan_dsl::{
    steps::{Produce, StartConsumer, StartCopier, StartProducer},
    value::{self, Rate},
};

use super::spec::{Common, ConsumerSpec, CopierSpec, ProducerSpec, TransactionSpec};

/// Settings as librdkafka's names and values.
pub(crate) fn config(settings: &value::Settings) -> IndexMap<String, String> {
    settings.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// What `start_producer` says.
pub(crate) fn producer(
    args: &StartProducer,
    common: Common,
    partitions: u32,
    seed: u64,
) -> ProducerSpec {
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
        headers: config(&args.headers),
        keys: args.keys.as_deref().copied(),
        count: args.count.as_deref().copied(),
        compression: args.compression.as_deref().map(ToString::to_string),
        seed,
    }
}

/// What `start_consumer` says.
pub(crate) fn consumer(args: &StartConsumer, common: Common) -> ConsumerSpec {
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

/// What `start_copier` says.
pub(crate) fn copier(args: &StartCopier, common: Common, partitions: u32) -> CopierSpec {
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

/// The settings of the producer of `produce`, over those of the cluster; `fails` if the step is to fail.
pub(crate) fn given(
    args: &Produce,
    mut settings: IndexMap<String, String>,
    fails: bool,
) -> IndexMap<String, String> {
    settings.extend(config(&args.config));
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
    set("acks", args.acks.text());
    set("message.timeout.ms", &args.within.as_millis().max(1).to_string());
    set("linger.ms", "0");
    // With expect_error the broker's first answer is what is asked for, not the time-out that
    // retries of a retriable error end in.
    if fails {
        set("retries", "0");
    }
    settings
}
