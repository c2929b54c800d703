//! What is done to requests: which ones of Kafka's protocol, and how.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{KAFKA_ERRORS, duration_text, words};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean};
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::schema::described;
use crate::source::Spanned;

words! {
    /// A kind of request of Kafka's protocol (an API key), by its name there.
    pub enum KafkaApi("a request of Kafka's protocol such as `Produce`") {
        /// Sends messages.
        Produce = "Produce",
        /// Reads messages.
        Fetch = "Fetch",
        /// Asks for the ends of partitions.
        ListOffsets = "ListOffsets",
        /// Asks for brokers, topics and leaders.
        Metadata = "Metadata",
        /// Commits the position of a group.
        OffsetCommit = "OffsetCommit",
        /// Asks for the committed position of a group.
        OffsetFetch = "OffsetFetch",
        /// Asks which broker coordinates a group or a transactional id.
        FindCoordinator = "FindCoordinator",
        /// Joins a group.
        JoinGroup = "JoinGroup",
        /// Gives or gets the assignment of a group.
        SyncGroup = "SyncGroup",
        /// Shows that a member of a group is alive.
        Heartbeat = "Heartbeat",
        /// Leaves a group.
        LeaveGroup = "LeaveGroup",
        /// The same as the four above in the newer protocol of groups (KIP-848).
        ConsumerGroupHeartbeat = "ConsumerGroupHeartbeat",
        /// Gets the id of an idempotent or transactional producer.
        InitProducerId = "InitProducerId",
        /// Adds partitions to a transaction.
        AddPartitionsToTxn = "AddPartitionsToTxn",
        /// Adds the position of a group to a transaction.
        AddOffsetsToTxn = "AddOffsetsToTxn",
        /// Commits the position of a group in a transaction.
        TxnOffsetCommit = "TxnOffsetCommit",
        /// Commits or aborts a transaction.
        EndTxn = "EndTxn",
    }
}

impl KafkaApi {
    /// True if a request of this kind names the topics that it is about.
    pub const fn names_topics(self) -> bool {
        matches!(
            self,
            Self::Produce | Self::Fetch | Self::ListOffsets | Self::Metadata | Self::OffsetCommit
        )
    }
}

/// What is done to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// It is answered with an error, whose name in Kafka's protocol this is.
    Error(String),
    /// The answer comes later.
    Delay(Duration),
    /// The answer demands that the client waits (KIP-219).
    Throttle(Duration),
    /// The broker does what is asked, and the answer does not arrive.
    DropAnswer,
    /// The broker gets it twice.
    Duplicate,
    /// The broker does not get it, and the connection ends.
    Disconnect,
}

args! {
    /// What is done to a request, with its value.
    pub struct DisturbanceValue("how") {
        /// The answer is this error of Kafka.
        error: Option<Spanned<String>>,
        /// The answer arrives this much later than the broker gives it.
        delay: Option<Duration>,
        /// The answer demands that the client sends nothing for this time.
        throttle: Option<Duration>,
    }
}

/// Those without a value.
const PLAIN: [(&str, Disturbance, &str); 3] = [
    (
        "drop_answer",
        Disturbance::DropAnswer,
        "The broker does what is asked, and no answer arrives.",
    ),
    ("duplicate", Disturbance::Duplicate, "The broker gets the request twice."),
    (
        "disconnect",
        Disturbance::Disconnect,
        "The broker does not get the request, and the connection is closed.",
    ),
];

impl FromNode for Disturbance {
    const EXPECTS: &'static str = "`drop_answer`, `duplicate`, `disconnect`, `{ error: ... }`, `{ delay: ... }` or \
                                   `{ throttle: ... }`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => valued(node, reader),
            Kind::Scalar(scalar) if !scalar.is_null() => {
                let found = PLAIN.iter().find(|(word, ..)| *word == scalar.text);
                if found.is_none() {
                    unknown(&scalar.text, node, reader);
                }
                found.map(|(_, how, _)| how.clone())
            }
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let plain =
            PLAIN.map(|(word, _, doc)| described(json_schema!({ "const": word }), doc, None));
        let mut all: Vec<Schema> = plain.into();
        all.push(DisturbanceValue::schema(generator));
        json_schema!({ "anyOf": all })
    }
}

fn unknown(text: &str, node: &Node, reader: &mut Reader) {
    let (message, help) = match ["error", "delay", "throttle"].contains(&text) {
        true => (
            format!("`{text}` needs a value"),
            Some(Help::from(format!("write `how: {{ {text}: ... }}`"))),
        ),
        false => (
            format!("`{text}` is not something that is done to a request"),
            did_you_mean(text, PLAIN.iter().map(|(word, ..)| *word)),
        ),
    };
    reader.push(Diagnostic::new(Code::E014, node.span, message).maybe_help(help));
}

fn valued(node: &Node, reader: &mut Reader) -> Option<Disturbance> {
    match reader.read::<DisturbanceValue>(node)? {
        DisturbanceValue { error: Some(error), delay: None, throttle: None } => {
            known_error(error, reader).map(Disturbance::Error)
        }
        DisturbanceValue { error: None, delay: Some(time), throttle: None } => {
            Some(Disturbance::Delay(time))
        }
        DisturbanceValue { error: None, delay: None, throttle: Some(time) } => {
            Some(Disturbance::Throttle(time))
        }
        _ => {
            let message = "`how` takes one of `error`, `delay` and `throttle`";
            reader.push(Diagnostic::new(Code::E016, node.span, message));
            None
        }
    }
}

fn known_error(error: Spanned<String>, reader: &mut Reader) -> Option<String> {
    if KAFKA_ERRORS.contains(&error.as_str()) {
        return Some(error.value);
    }
    let message = format!("`{error}` is not an error code of Kafka");
    let help = did_you_mean(&error, KAFKA_ERRORS.iter().copied());
    let help = help.unwrap_or_else(|| "write an error code such as `NOT_ENOUGH_REPLICAS`".into());
    reader.push(Diagnostic::new(Code::E014, error.span, message).help(help));
    None
}

impl Meaning for Disturbance {
    fn meaning(&self) -> Value {
        match self {
            Self::Error(name) => serde_json::json!({ "error": name }),
            Self::Delay(time) => serde_json::json!({ "delay": time.meaning() }),
            Self::Throttle(time) => serde_json::json!({ "throttle": time.meaning() }),
            plain => {
                let found = PLAIN.iter().find(|(_, how, _)| how == plain);
                found.map_or(Value::Null, |(word, ..)| (*word).into())
            }
        }
    }
}

impl Disturbance {
    /// What is done, as what follows "requests": `are answered with NOT_ENOUGH_REPLICAS`.
    pub fn in_words(&self) -> String {
        match self {
            Self::Error(name) => format!("are answered with {name}"),
            Self::Delay(time) => format!("are answered {} later", duration_text(*time)),
            Self::Throttle(time) => {
                format!("are answered with a throttle of {}", duration_text(*time))
            }
            Self::DropAnswer => "are carried out, and their answers do not arrive".to_owned(),
            Self::Duplicate => "reach the broker twice".to_owned(),
            Self::Disconnect => "are dropped, and their connections closed".to_owned(),
        }
    }
}
