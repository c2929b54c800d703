//! `produce`: a few given messages, in the foreground.

use std::sync::Arc;

use async_trait::async_trait;
use kplan_dsl::{
    StepHead,
    steps::{GivenMessage, Produce},
};
use rdkafka::{
    ClientConfig, ClientContext,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _},
    util::Timeout,
};

use tokio::sync::watch;

use crate::{
    client::{
        ClientType, Routed, create,
        handle::{REFUSED, is_refusal},
    },
    cluster::{KafkaError as Answered, admin::error_name},
    identity::payload::foreign_hash,
    stage::{
        Given,
        outcome::{Answer, Done, KafkaCause, Party, PlanCause, StepError},
    },
    steps::{
        Act, Cx,
        new_client::{self, ClientDraft, SettingsMap},
    },
};

type Sender = FutureProducer<SendTrouble>;

#[async_trait]
impl Act for Produce {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let trouble = SendTrouble::default();
        let producer = producer(self, trouble.clone(), cx)?;
        let sends =
            futures::future::join_all(self.messages.iter().map(|m| send(&producer, self, m)));
        let results = tokio::select! {
            results = sends => results,
            error = trouble.refused() => {
                let what = "the cluster does not accept the producer".to_owned();
                let answers = vec![Answer { about: String::new(), error }];
                return Err(StepError::Kafka(KafkaCause::Refused { what, answers }));
            }
        };
        let mut refused = Vec::new();
        for (message, result) in self.messages.iter().zip(results) {
            match result {
                Ok(partition) => cx.stage.topics.given(vec![Given {
                    topic: self.topic.to_string(),
                    partition: Some(partition),
                    hash: hash(message),
                }]),
                Err(error) => refused.push(Answer { about: name(message), error }),
            }
        }
        // An unacknowledged message may be in the log nevertheless: it is no phantom.
        if refused.is_empty() {
            return Ok(Done::default());
        }
        for message in self.messages.iter() {
            let topic = self.topic.to_string();
            cx.stage.topics.given(vec![Given { topic, partition: None, hash: hash(message) }]);
        }
        let what =
            format!("{} of {} messages were not acknowledged", refused.len(), self.messages.len());
        Err(StepError::Kafka(KafkaCause::Refused { what, answers: refused }))
    }

    fn client(&self, head: &StepHead) -> Option<ClientDraft<'_>> {
        let fails = head.expect_error.is_some();
        let halves = move |config| vec![(ClientType::Producer, settings(self, config, fails))];
        Some(ClientDraft { config: &self.config, halves: Box::new(halves) })
    }
}

/// All settings of the producer, over these of the cluster and the plan; `fails` if the step is to fail.
fn settings(args: &Produce, mut settings: SettingsMap, fails: bool) -> SettingsMap {
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
    set("acks", args.acks.text());
    set("message.timeout.ms", &args.within.as_millis().max(1).to_string());
    set("linger.ms", "0");
    // With expect_error the broker's first answer counts, not the timeout after
    // retries of a retriable error.
    if fails {
        set("retries", "0");
    }
    settings
}

/// The producer's own errors, apart from those of its messages.
#[derive(Clone, Default)]
struct SendTrouble(Arc<watch::Sender<Option<Answered>>>);

impl ClientContext for SendTrouble {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map(error_name).unwrap_or_default();
        if is_refusal(&code) {
            self.0.send_replace(Some(Answered { code, message: reason.to_owned() }));
        }
    }
}

impl SendTrouble {
    /// Resolves when the cluster has refused the producer, and still does a little later.
    async fn refused(&self) -> Answered {
        let mut reported = self.0.subscribe();
        let first = reported.wait_for(Option::is_some).await.ok().and_then(|t| t.clone());
        let Some(why) = first else { return std::future::pending().await };
        tokio::time::sleep(REFUSED).await;
        why
    }
}

fn producer(
    args: &Produce,
    trouble: SendTrouble,
    cx: &Cx<'_>,
) -> Result<Routed<Sender>, StepError> {
    let running = cx.stage.running()?;
    let mut base = running.cluster.user_config(args.user.as_ref().map(|u| u.as_str()))?;
    base.extend(new_client::config(&args.config));
    let mut config = ClientConfig::new();
    for (key, value) in settings(args, base, cx.head.expect_error.is_some()) {
        config.set(key, value);
    }
    let (bootstrap, router) = (running.bootstrap(), running.cluster.router());
    let native = |producer: &Sender| producer.client().native_ptr();
    create(config, trouble, &bootstrap, router, native).map_err(|e| {
        let of = Party::Own("the producer of `produce`");
        StepError::Plan(PlanCause::Setting { of, text: e.to_string() })
    })
}

async fn send(producer: &Sender, args: &Produce, message: &GivenMessage) -> Result<u32, Answered> {
    let mut record = FutureRecord::<str, str>::to(&args.topic);
    if let Some(key) = &message.key {
        record = record.key(key);
    }
    if let Some(value) = &message.value {
        record = record.payload(value);
    }
    if let Some(partition) = message.partition.as_deref() {
        record = record.partition(i32::try_from(*partition).unwrap_or(i32::MAX));
    }
    if let Some(timestamp) = message.timestamp {
        record = record.timestamp(timestamp.of(jiff::Timestamp::now().as_millisecond()));
    }
    if !message.headers.is_empty() {
        let headers = message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        record = record.headers(headers);
    }
    match producer.send(record, Timeout::After(*args.within)).await {
        Ok(delivery) => Ok(u32::try_from(delivery.partition).unwrap_or(0)),
        Err((error, _)) => {
            let code = error.rdkafka_error_code().map_or_else(|| "UNKNOWN".to_owned(), error_name);
            // The broker's last error is in the fatal error or in the text.
            let fatal = producer.client().fatal_error().map(|(_, text)| text);
            Err(Answered { code, message: fatal.unwrap_or_else(|| error.to_string()) })
        }
    }
}

/// Hash by which the audit recognizes the message.
fn hash(message: &GivenMessage) -> u64 {
    foreign_hash(
        message.key.as_deref().map(str::as_bytes),
        message.value.as_deref().map(str::as_bytes),
    )
}

fn name(message: &GivenMessage) -> String {
    spelled(message.key.as_deref(), message.value.as_deref())
}

/// The letters of a key or value that are shown.
const SHOWN: usize = 200;

/// A message's key and value as JSON writes them, cut where they are long: `key "a" value "b"`.
pub(super) fn spelled(key: Option<&str>, value: Option<&str>) -> String {
    let word = |what: &str, text: &str| {
        let cut: String = text.chars().take(SHOWN).collect();
        let more = if cut.len() < text.len() { " (cut)" } else { "" };
        format!("{what} {}{more}", serde_json::Value::from(cut))
    };
    match (key, value) {
        (None, None) => "a message without key and value".to_owned(),
        (Some(key), None) => word("key", key),
        (None, Some(value)) => word("value", value),
        (Some(key), Some(value)) => format!("{} {}", word("key", key), word("value", value)),
    }
}
