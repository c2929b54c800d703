//! The lines of a client of another program, in the protocol of Kafka's `VerifiableProducer` and `VerifiableConsumer`:
//! one JSON object a line with `name`. A line that is no JSON object, or has no `name`, is none of the protocol's: a
//! library may log to standard output. Events that kplan does not know are left out.

use serde::Deserialize;

/// A message that a client printed: a partition above this is not believed.
pub const MOST_PARTITION: u32 = crate::identity::text::MOST_PARTITION;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Printed {
    /// `startup_complete`
    Started,
    /// `shutdown_complete`
    Ended,
    /// `producer_send_success`
    Acked(SentLine, LogPlace),
    /// `producer_send_error`: the exception's name and its message.
    Failed(SentLine, String, String),
    /// `tool_data`: how many messages the client sent, and how many were acknowledged.
    Sums { sent: u64, acked: u64 },
    /// `partitions_assigned`
    Assigned(Vec<TopicPart>),
    /// `partitions_revoked`
    Revoked(Vec<TopicPart>),
    /// `record_data`
    Record { part: TopicPart, offset: i64, key: Option<String>, value: Option<String> },
    /// `records_consumed`: how many messages were printed since the last one.
    Consumed { count: u64 },
    /// `offsets_committed`: the positions, and the error if they were not committed.
    Committed { places: Vec<(TopicPart, i64)>, error: Option<String> },
}

/// The message that a producer's line is about.
#[derive(Clone, Debug, PartialEq)]
pub struct SentLine {
    pub topic: String,
    pub value: String,
    /// kplan's addition: when it was to be sent, milliseconds of Unix time.
    pub sent_ms: Option<f64>,
}

/// Where an acknowledged message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    pub partition: u32,
    /// Negative if the client does not know it, as with `acks=0`.
    pub offset: i64,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPart {
    pub topic: String,
    pub partition: u32,
}

/// Why a line breaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of event `{name}` {what}")]
pub struct BadLine {
    pub name: String,
    pub what: String,
}

/// All fields of all events.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    name: Option<String>,
    key: Option<String>,
    value: Option<String>,
    topic: Option<String>,
    partition: Option<i64>,
    offset: Option<i64>,
    sent_ms: Option<f64>,
    exception: Option<String>,
    message: Option<String>,
    sent: Option<u64>,
    acked: Option<u64>,
    count: Option<u64>,
    partitions: Option<Vec<PrintedPart>>,
    offsets: Option<Vec<PrintedPart>>,
    success: Option<bool>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct PrintedPart {
    topic: String,
    partition: i64,
    offset: Option<i64>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Reads a line. None: it is none of the protocol's events.
pub fn read(line: &[u8]) -> Result<Option<Printed>, BadLine> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    match serde_json::from_slice::<Line>(line) {
        Ok(line) => line.event(),
        // An object with a name of the protocol and a field of another type is no log line.
        Err(error) => match serde_json::from_slice::<Named>(line) {
            Ok(Named { name }) if EVENTS.contains(&name.as_str()) => {
                Err(BadLine { name, what: format!("cannot be read: {error}") })
            }
            // A piece of a line about a message: the message must not be left out.
            _ => match message_event(line) {
                Some(name) => {
                    let name = name.to_owned();
                    Err(BadLine { name, what: format!("cannot be read: {error}") })
                }
                None => Ok(None),
            },
        },
    }
}

/// Where in a line its name is looked for.
const BEGINNING: usize = 128;

/// Whether a line is about one message, of which there are too many for a log.
pub fn is_message(line: &[u8]) -> bool {
    message_event(line).is_some()
}

/// The event of one message that a line names in its beginning.
fn message_event(line: &[u8]) -> Option<&'static str> {
    let beginning = line.starts_with(b"{").then(|| &line[..line.len().min(BEGINNING)])?;
    let named = |name: &&str| memchr::memmem::find(beginning, name.as_bytes()).is_some();
    ["record_data", "producer_send_success"].into_iter().find(named)
}

/// The events that kplan reads.
const EVENTS: [&str; 10] = [
    "startup_complete",
    "shutdown_complete",
    "producer_send_success",
    "producer_send_error",
    "tool_data",
    "partitions_assigned",
    "partitions_revoked",
    "record_data",
    "records_consumed",
    "offsets_committed",
];

impl Line {
    fn event(self) -> Result<Option<Printed>, BadLine> {
        let Some(name) = self.name.clone() else { return Ok(None) };
        let lacks = |field: &str| BadLine { name: name.clone(), what: format!("has no `{field}`") };
        let event = match name.as_str() {
            "startup_complete" => Printed::Started,
            "shutdown_complete" => Printed::Ended,
            "producer_send_success" => {
                let offset = self.offset.ok_or_else(|| lacks("offset"))?;
                let partition = self.partition.ok_or_else(|| lacks("partition"))?;
                let partition = number(&name, partition)?;
                Printed::Acked(self.message(&lacks)?, LogPlace { partition, offset })
            }
            "producer_send_error" => {
                let exception = self.exception.clone().unwrap_or_default();
                let text = self.message.clone().unwrap_or_default();
                Printed::Failed(self.message(&lacks)?, simple_name(&exception).to_owned(), text)
            }
            "tool_data" => Printed::Sums {
                sent: self.sent.ok_or_else(|| lacks("sent"))?,
                acked: self.acked.ok_or_else(|| lacks("acked"))?,
            },
            "partitions_assigned" => Printed::Assigned(parts(
                &name,
                self.partitions.ok_or_else(|| lacks("partitions"))?,
            )?),
            "partitions_revoked" => {
                Printed::Revoked(parts(&name, self.partitions.ok_or_else(|| lacks("partitions"))?)?)
            }
            "record_data" => {
                let partition = self.partition.ok_or_else(|| lacks("partition"))?;
                let topic = self.topic.ok_or_else(|| lacks("topic"))?;
                let part = TopicPart { topic, partition: number(&name, partition)? };
                let offset = self.offset.filter(|offset| *offset >= 0);
                let offset = offset.ok_or_else(|| lacks("offset"))?;
                Printed::Record { part, offset, key: self.key, value: self.value }
            }
            "records_consumed" => {
                Printed::Consumed { count: self.count.ok_or_else(|| lacks("count"))? }
            }
            "offsets_committed" => {
                let success = self.success.ok_or_else(|| lacks("success"))?;
                let given = self.offsets.ok_or_else(|| lacks("offsets"))?;
                let offset = |p: &PrintedPart| p.offset.ok_or_else(|| lacks("offset"));
                let offsets = given.iter().map(offset).collect::<Result<Vec<_>, _>>()?;
                let places = parts(&name, given)?.into_iter().zip(offsets).collect();
                let error = (!success).then(|| self.error.unwrap_or_default());
                Printed::Committed { places, error }
            }
            _ => return Ok(None),
        };
        Ok(Some(event))
    }

    fn message(self, lacks: &impl Fn(&str) -> BadLine) -> Result<SentLine, BadLine> {
        let topic = self.topic.ok_or_else(|| lacks("topic"))?;
        let value = self.value.ok_or_else(|| lacks("value"))?;
        Ok(SentLine { topic, value, sent_ms: self.sent_ms })
    }
}

fn parts(name: &str, all: Vec<PrintedPart>) -> Result<Vec<TopicPart>, BadLine> {
    let one = |part: PrintedPart| {
        let partition = number(name, part.partition)?;
        Ok(TopicPart { topic: part.topic, partition })
    };
    all.into_iter().map(one).collect()
}

fn number(name: &str, partition: i64) -> Result<u32, BadLine> {
    let number = u32::try_from(partition).ok().filter(|number| *number <= MOST_PARTITION);
    number.ok_or_else(|| BadLine {
        name: name.to_owned(),
        what: format!("names partition {partition}, which no topic has"),
    })
}

/// `TimeoutException` of `class org.apache.kafka.common.errors.TimeoutException`.
fn simple_name(class: &str) -> &str {
    let name = class.rsplit(['.', ' ']).next().unwrap_or(class);
    if name.is_empty() { "unknown" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Option<Printed> {
        read(line.as_bytes()).expect("it follows the protocol")
    }

    fn part(partition: u32) -> TopicPart {
        TopicPart { topic: "t".into(), partition }
    }

    /// Lines of Kafka 4.1.1's VerifiableProducer.
    #[test]
    fn a_producers_lines_are_read() {
        assert_eq!(
            event(r#"{"timestamp":1795966262094,"name":"startup_complete"}"#),
            Some(Printed::Started)
        );
        let acked = r#"{"timestamp":1795966263676,"name":"producer_send_success","key":"0","value":"2000000005.0","offset":7,"topic":"t","partition":2}"#;
        let of =
            |value: &str, sent_ms| SentLine { topic: "t".into(), value: value.into(), sent_ms };
        let place = LogPlace { partition: 2, offset: 7 };
        assert_eq!(event(acked), Some(Printed::Acked(of("2000000005.0", None), place)));
        let timed = acked.replace(r#""key":"0""#, r#""key":null,"sent_ms":1795966263670.25"#);
        let sent = of("2000000005.0", Some(1_795_966_263_670.25));
        assert_eq!(event(&timed), Some(Printed::Acked(sent, place)));
        let failed = r#"{"timestamp":1795966309802,"name":"producer_send_error","topic":"t","key":null,"value":"2000000007.7","exception":"class org.apache.kafka.common.errors.TimeoutException","message":"Disconnected from node 1 due to timeout"}"#;
        let (name, text) = ("TimeoutException", "Disconnected from node 1 due to timeout");
        let failure = Printed::Failed(of("2000000007.7", None), name.into(), text.into());
        assert_eq!(event(failed), Some(failure));
        let sums = r#"{"timestamp":1795966263733,"name":"tool_data","sent":12,"acked":11,"target_throughput":100,"avg_throughput":7.299270072992701}"#;
        assert_eq!(event(sums), Some(Printed::Sums { sent: 12, acked: 11 }));
        let end = r#"{"timestamp":1795966263731,"name":"shutdown_complete"}"#;
        assert_eq!(event(end), Some(Printed::Ended));
    }

    /// Lines of Kafka 4.1.1's VerifiableConsumer.
    #[test]
    fn a_consumers_lines_are_read() {
        let assigned = r#"{"timestamp":1795966267817,"name":"partitions_assigned","partitions":[{"topic":"t","partition":0},{"topic":"t","partition":2}]}"#;
        assert_eq!(event(assigned), Some(Printed::Assigned(vec![part(0), part(2)])));
        let revoked = assigned.replace("assigned", "revoked");
        assert_eq!(event(&revoked), Some(Printed::Revoked(vec![part(0), part(2)])));
        let record = r#"{"timestamp":1795966269101,"name":"record_data","key":"0","value":"2000000005.0","topic":"t","partition":2,"offset":4}"#;
        let (key, value) = (Some("0".to_owned()), Some("2000000005.0".to_owned()));
        assert_eq!(event(record), Some(Printed::Record { part: part(2), offset: 4, key, value }));
        let consumed = r#"{"timestamp":1795966269107,"name":"records_consumed","count":12,"partitions":[{"topic":"t","partition":2,"count":12,"minOffset":0,"maxOffset":11}]}"#;
        assert_eq!(event(consumed), Some(Printed::Consumed { count: 12 }));
        let committed = r#"{"timestamp":1795966269145,"name":"offsets_committed","offsets":[{"topic":"t","partition":2,"offset":8}],"success":true}"#;
        let places = vec![(part(2), 8)];
        let success = Printed::Committed { places: places.clone(), error: None };
        assert_eq!(event(committed), Some(success));
        let failed = committed.replace("true", r#"false,"error":"fenced""#);
        assert_eq!(
            event(&failed),
            Some(Printed::Committed { places, error: Some("fenced".into()) })
        );
    }

    #[test]
    fn only_lines_of_messages_that_arrived_are_left_out_of_the_log() {
        for line in [
            r#"{"timestamp":1795966263676,"name":"producer_send_success","key":"0"}"#,
            r#"{"timestamp": 1795966269101, "name": "record_data", "key": "0"}"#,
        ] {
            assert!(is_message(line.as_bytes()), "{line}");
        }
        for line in [
            r#"{"timestamp":1,"name":"producer_send_error","message":"no"}"#,
            r#"{"name":"client_error"}"#,
            "record_data: none",
            "",
        ] {
            assert!(!is_message(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_a_library_logs_is_no_event() {
        for line in [
            "",
            "Option --producer.config has been deprecated",
            "[2026-11-29 15:31:46] INFO starting",
            "{not JSON",
            r#"{"level":"info","msg":"connected"}"#,
            r#"{"name":"a name of something else","offset":"x"}"#,
            r#"{"timestamp":1,"name":"_librdkafka_stats","stats":{}}"#,
            "12",
            "null",
            "[]",
        ] {
            assert_eq!(read(line.as_bytes()), Ok(None), "{line}");
        }
        assert_eq!(read(b"\xff\xfe"), Ok(None));
    }

    #[test]
    fn an_event_without_what_it_needs_breaks_the_protocol() {
        for (line, what) in [
            (
                r#"{"name":"producer_send_success","value":"1.0","topic":"t","partition":0}"#,
                "`offset`",
            ),
            (
                r#"{"name":"producer_send_success","value":"1.0","topic":"t","offset":0}"#,
                "`partition`",
            ),
            (r#"{"name":"producer_send_success","topic":"t","partition":0,"offset":0}"#, "`value`"),
            (r#"{"name":"producer_send_error","value":"1.0"}"#, "`topic`"),
            (r#"{"name":"record_data","topic":"t","partition":0,"offset":-1}"#, "`offset`"),
            (r#"{"name":"record_data","topic":"t","partition":-1,"offset":0}"#, "partition -1"),
            (
                r#"{"name":"record_data","topic":"t","partition":4294967296,"offset":0}"#,
                "partition 4294967296",
            ),
            (r#"{"name":"partitions_assigned"}"#, "`partitions`"),
            (r#"{"name":"partitions_assigned","partitions":[{"topic":"t"}]}"#, "cannot be read"),
            (
                r#"{"name":"offsets_committed","offsets":[{"topic":"t","partition":0}],"success":true}"#,
                "`offset`",
            ),
            (r#"{"name":"tool_data","sent":1}"#, "`acked`"),
            (r#"{"name":"producer_send_success","value":1}"#, "cannot be read"),
            (r#"{"timestamp":1,"name":"record_data","topic":"t","#, "cannot be read"),
        ] {
            let error = read(line.as_bytes()).expect_err(line).to_string();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
