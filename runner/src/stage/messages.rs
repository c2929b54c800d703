//! Reads a topic's log with a client outside of all groups.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kplan_dsl::value::OffsetReset;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{Consumer, DefaultConsumerContext, StreamConsumer},
    message::{BorrowedMessage, Headers as _},
};

use crate::{
    client::{Routed, create},
    observer::At,
    stage::{
        Stage,
        outcome::{Party, PlanCause, StepError},
    },
};

/// The default limit of a reading.
pub const READ_LIMIT: Duration = Duration::from_secs(60);

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: BTreeMap<String, String>,
}

/// How many messages with this key and value a topic's log holds now.
pub async fn find_messages(
    stage: &Stage,
    topic: &str,
    key: Option<&str>,
    value: Option<&str>,
) -> Result<u64, StepError> {
    let (consumer, mut left) = assigned(topic, OffsetReset::Earliest, stage).await?;
    let end = Instant::now() + READ_LIMIT;
    let mut count = 0;
    while !left.is_empty() {
        let time = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(time, consumer.recv()).await {
            Ok(Ok(message)) => {
                let one = took(&message);
                let fits = |wanted: Option<&str>, has: &Option<String>| {
                    wanted.is_none_or(|w| has.as_deref() == Some(w))
                };
                count += u64::from(fits(key, &one.key) && fits(value, &one.value));
                if left.get(&one.partition).is_some_and(|end| one.offset + 1 >= *end) {
                    left.remove(&one.partition);
                }
            }
            Ok(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            Ok(Err(_)) if !time.is_zero() => {}
            Ok(Err(_)) | Err(_) => {
                let what = format!("{topic} was not read to its end");
                return Err(StepError::not_in_time(what, READ_LIMIT));
            }
        }
    }
    Ok(count)
}

/// Assigns every partition from its start or end; returns where each ends now, empty ones left out.
pub(crate) async fn assigned(
    topic: &str,
    from: OffsetReset,
    stage: &Stage,
) -> Result<(Routed<StreamConsumer>, BTreeMap<i32, i64>), StepError> {
    let running = stage.running()?;
    let mut config = ClientConfig::new();
    for (key, value) in running.cluster.client_config() {
        config.set(key, value);
    }
    config.set("group.id", format!("kplan-consume-{}", stage.run.id));
    config
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true");
    config.set("auto.offset.reset", "error");
    let (bootstrap, router) = (running.bootstrap(), running.cluster.router());
    let native = |consumer: &StreamConsumer| consumer.client().native_ptr();
    let consumer =
        create(config, DefaultConsumerContext, &bootstrap, router, native).map_err(|e| {
            let of = Party::Own("the reader of messages");
            StepError::Plan(PlanCause::Setting { of, text: e.to_string() })
        })?;
    let view = stage.view()?;
    stage.whole(&view).await?.map_err(StepError::lacks)?;
    let mut list = TopicPartitionList::new();
    let mut ends = BTreeMap::new();
    for (_, p) in view.partitions(Some(topic)) {
        let number = i32::try_from(p.partition).unwrap_or(i32::MAX);
        let ask = running.observer.ask();
        let start = ask.offset(topic, p.partition, At::Start).await?;
        let end = ask.offset(topic, p.partition, At::HighWatermark).await?;
        let at = match from {
            OffsetReset::Earliest => Offset::Beginning,
            OffsetReset::Latest => Offset::End,
        };
        list.add_partition_offset(topic, number, at).map_err(StepError::rig)?;
        if end > start && from == OffsetReset::Earliest {
            ends.insert(number, end);
        }
    }
    if list.count() == 0 {
        return Err(StepError::lacks(format!("no living broker knows {topic}")));
    }
    consumer.assign(&list).map_err(StepError::rig)?;
    Ok((consumer, ends))
}

/// A message with key and value as text.
pub fn took(message: &BorrowedMessage<'_>) -> Came {
    let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
    let headers = message.headers().map(|all| {
        all.iter().map(|h| (h.key.to_owned(), text(h.value).unwrap_or_default())).collect()
    });
    Came {
        partition: message.partition(),
        offset: message.offset(),
        key: text(message.key()),
        value: text(message.payload()),
        headers: headers.unwrap_or_default(),
    }
}
