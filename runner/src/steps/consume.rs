//! `consume`: reads a topic in the foreground and compares it with the expected messages.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kplan_dsl::steps::{Consume, GivenMessage, Until};
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};

use super::produce::spelled;
use crate::{
    cluster::{KafkaError, admin::error_name},
    event::{Finding, Holds},
    stage::{
        messages::{Came, READ_LIMIT, assigned, took},
        outcome::{Answer, Done, KafkaCause, StepError},
    },
    steps::{Act, Cx},
};

#[async_trait]
impl Act for Consume {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let limit = cx.head.timeout.as_deref().copied().unwrap_or(READ_LIMIT);
        let end = Instant::now() + limit;
        let (consumer, ends) = assigned(&self.topic, self.from, cx.stage).await?;
        let mut came: Vec<Came> = Vec::new();
        let mut left = ends;
        loop {
            let done = match &*self.until {
                Until::Count(n) => came.len() as u64 >= *n,
                Until::End => left.is_empty(),
            };
            let time = end.saturating_duration_since(Instant::now());
            if done || time.is_zero() {
                return judge(self, &came, done, limit, cx);
            }
            match tokio::time::timeout(time, consumer.recv()).await {
                Ok(Ok(message)) => {
                    let one = took(&message);
                    if left.get(&one.partition).is_some_and(|end| one.offset + 1 >= *end) {
                        left.remove(&one.partition);
                    }
                    came.push(one);
                }
                Ok(Err(RdError::PartitionEOF(partition))) => {
                    left.remove(&partition);
                }
                Ok(Err(error)) if came.is_empty() && !is_cut_off(&error) => {
                    return Err(answered(&error));
                }
                // librdkafka reconnects by itself; the limit ends it.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

/// A connection that broke.
fn is_cut_off(error: &RdError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::BrokerTransportFailure)
}

/// Kafka's error for the reader, with its code.
fn answered(error: &RdError) -> StepError {
    let code = error.rdkafka_error_code().map(error_name).unwrap_or_default();
    let answer = KafkaError { code, message: error.to_string() };
    let answers = vec![Answer { about: String::new(), error: answer }];
    StepError::Kafka(KafkaCause::Refused { what: "the topic cannot be read".to_owned(), answers })
}

fn judge(
    args: &Consume,
    came: &[Came],
    done: bool,
    limit: Duration,
    cx: &Cx<'_>,
) -> Result<Done, StepError> {
    let line = cx.stage.line_of(args.until.span);
    let mut findings = Vec::new();
    let mut evidence: Vec<String> = came.iter().take(20).map(reported).collect();
    if came.len() > 20 {
        evidence.push(format!("... and {} more", came.len() - 20));
    }
    findings.push(Finding {
        condition: match &*args.until {
            Until::Count(n) => format!("until: {{ count: {n} }}"),
            Until::End => "until: end".to_owned(),
        },
        line,
        holds: match (done, &*args.until) {
            // `count: 0` waits for nothing and judges nothing.
            (true, Until::Count(0)) => Holds::Unjudged,
            (true, _) => Holds::Yes,
            (false, _) => Holds::No,
        },
        expected: format!("reached within {limit:?}"),
        found: format!("{} messages read", came.len()),
        evidence,
        after_ms: None,
    });
    if let Some(expect) = args.expect.as_ref() {
        let missing = missing(expect, came);
        findings.push(Finding {
            condition: "expect".to_owned(),
            line: cx.stage.line_of(expect.span),
            holds: match (missing.is_empty(), expect.is_empty()) {
                (_, true) => Holds::Unjudged,
                (true, false) => Holds::Yes,
                (false, false) => Holds::No,
            },
            expected: format!("{} messages, in this order within a partition", expect.len()),
            found: format!("{} of them", expect.len() - missing.len()),
            evidence: missing,
            after_ms: None,
        });
    }
    Done::judged(findings)
}

/// Expected messages that were not read, or were read before one that is listed before them and is in the
/// same partition. Each message that was read counts once.
fn missing(expect: &[GivenMessage], came: &[Came]) -> Vec<String> {
    let mut free: Vec<bool> = vec![true; came.len()];
    let mut reached: BTreeMap<i32, i64> = BTreeMap::new();
    let mut missing = Vec::new();
    for wanted in expect {
        let fits = |c: &Came| {
            wanted.key.as_ref().is_none_or(|k| c.key.as_ref() == Some(k))
                && wanted.value.as_ref().is_none_or(|v| c.value.as_ref() == Some(v))
                && wanted
                    .headers
                    .iter()
                    .all(|(k, v)| c.headers.get(k).map(String::as_str) == Some(v))
                && wanted
                    .partition
                    .as_deref()
                    .is_none_or(|p| i64::from(*p) == i64::from(c.partition))
        };
        let in_order = |c: &Came| reached.get(&c.partition).is_none_or(|last| c.offset > *last);
        let hit = came.iter().enumerate().position(|(i, c)| free[i] && fits(c) && in_order(c));
        if let Some(i) = hit {
            free[i] = false;
            reached.insert(came[i].partition, came[i].offset);
            continue;
        }
        let late = came.iter().enumerate().any(|(i, c)| free[i] && fits(c));
        let why =
            if late { "was read, but before a message listed before it" } else { "was not read" };
        let what = spelled(wanted.key.as_deref(), wanted.value.as_deref());
        missing.push(format!("{what} {why}"));
    }
    missing
}

fn reported(c: &Came) -> String {
    let what = spelled(c.key.as_deref(), c.value.as_deref());
    format!("partition {} offset {}: {what}", c.partition, c.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(key: &str, value: &str) -> GivenMessage {
        GivenMessage {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
            headers: Default::default(),
            partition: None,
            timestamp: None,
        }
    }

    fn came(partition: i32, offset: i64, key: &str, value: &str) -> Came {
        let (key, value) = (Some(key.to_owned()), Some(value.to_owned()));
        Came { partition, offset, key, value, headers: BTreeMap::new() }
    }

    #[test]
    fn order_counts_within_a_partition_only() {
        let expect = [wanted("a", "one"), wanted("b", "two")];
        assert!(missing(&expect, &[came(1, 0, "b", "two"), came(0, 0, "a", "one")]).is_empty());
        let swapped = [came(0, 0, "b", "two"), came(0, 1, "a", "one")];
        assert_eq!(missing(&expect, &swapped).len(), 1, "b lies before a in one partition");
        assert_eq!(missing(&expect, &[came(0, 0, "a", "one")]).len(), 1);
    }

    #[test]
    fn messages_are_told_as_people_write_them() {
        let mut one = came(0, 7, "k", "a \"b\"");
        assert_eq!(reported(&one), "partition 0 offset 7: key \"k\" value \"a \\\"b\\\"\"");
        one.key = None;
        assert_eq!(reported(&one), "partition 0 offset 7: value \"a \\\"b\\\"\"");
        one.value = None;
        assert_eq!(reported(&one), "partition 0 offset 7: a message without key and value");
        let left = missing(&[wanted("k", "v")], &[]);
        assert_eq!(left, ["key \"k\" value \"v\" was not read"]);
    }

    #[test]
    fn one_message_serves_once() {
        let twice = [wanted("a", "one"), wanted("a", "one")];
        assert_eq!(missing(&twice, &[came(0, 0, "a", "one")]).len(), 1);
    }
}
