//! The errors that a step may be expected to fail with, and that failed messages are counted by.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::args::args;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;

/// Kafka's errors, by the names of its protocol, in the order of their numbers.
pub const KAFKA_ERRORS: [&str; 134] = [
    "UNKNOWN_SERVER_ERROR",
    "OFFSET_OUT_OF_RANGE",
    "CORRUPT_MESSAGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "INVALID_FETCH_SIZE",
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_OR_FOLLOWER",
    "REQUEST_TIMED_OUT",
    "BROKER_NOT_AVAILABLE",
    "REPLICA_NOT_AVAILABLE",
    "MESSAGE_TOO_LARGE",
    "STALE_CONTROLLER_EPOCH",
    "OFFSET_METADATA_TOO_LARGE",
    "NETWORK_EXCEPTION",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "INVALID_TOPIC_EXCEPTION",
    "RECORD_LIST_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "INVALID_REQUIRED_ACKS",
    "ILLEGAL_GENERATION",
    "INCONSISTENT_GROUP_PROTOCOL",
    "INVALID_GROUP_ID",
    "UNKNOWN_MEMBER_ID",
    "INVALID_SESSION_TIMEOUT",
    "REBALANCE_IN_PROGRESS",
    "INVALID_COMMIT_OFFSET_SIZE",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "INVALID_TIMESTAMP",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
    "UNSUPPORTED_VERSION",
    "TOPIC_ALREADY_EXISTS",
    "INVALID_PARTITIONS",
    "INVALID_REPLICATION_FACTOR",
    "INVALID_REPLICA_ASSIGNMENT",
    "INVALID_CONFIG",
    "NOT_CONTROLLER",
    "INVALID_REQUEST",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "POLICY_VIOLATION",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    "DUPLICATE_SEQUENCE_NUMBER",
    "INVALID_PRODUCER_EPOCH",
    "INVALID_TXN_STATE",
    "INVALID_PRODUCER_ID_MAPPING",
    "INVALID_TRANSACTION_TIMEOUT",
    "CONCURRENT_TRANSACTIONS",
    "TRANSACTION_COORDINATOR_FENCED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "SECURITY_DISABLED",
    "OPERATION_NOT_ATTEMPTED",
    "KAFKA_STORAGE_ERROR",
    "LOG_DIR_NOT_FOUND",
    "SASL_AUTHENTICATION_FAILED",
    "UNKNOWN_PRODUCER_ID",
    "REASSIGNMENT_IN_PROGRESS",
    "DELEGATION_TOKEN_AUTH_DISABLED",
    "DELEGATION_TOKEN_NOT_FOUND",
    "DELEGATION_TOKEN_OWNER_MISMATCH",
    "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
    "DELEGATION_TOKEN_EXPIRED",
    "INVALID_PRINCIPAL_TYPE",
    "NON_EMPTY_GROUP",
    "GROUP_ID_NOT_FOUND",
    "FETCH_SESSION_ID_NOT_FOUND",
    "INVALID_FETCH_SESSION_EPOCH",
    "LISTENER_NOT_FOUND",
    "TOPIC_DELETION_DISABLED",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "STALE_BROKER_EPOCH",
    "OFFSET_NOT_AVAILABLE",
    "MEMBER_ID_REQUIRED",
    "PREFERRED_LEADER_NOT_AVAILABLE",
    "GROUP_MAX_SIZE_REACHED",
    "FENCED_INSTANCE_ID",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    "ELECTION_NOT_NEEDED",
    "NO_REASSIGNMENT_IN_PROGRESS",
    "GROUP_SUBSCRIBED_TO_TOPIC",
    "INVALID_RECORD",
    "UNSTABLE_OFFSET_COMMIT",
    "THROTTLING_QUOTA_EXCEEDED",
    "PRODUCER_FENCED",
    "RESOURCE_NOT_FOUND",
    "DUPLICATE_RESOURCE",
    "UNACCEPTABLE_CREDENTIAL",
    "INCONSISTENT_VOTER_SET",
    "INVALID_UPDATE_VERSION",
    "FEATURE_UPDATE_FAILED",
    "PRINCIPAL_DESERIALIZATION_FAILURE",
    "SNAPSHOT_NOT_FOUND",
    "POSITION_OUT_OF_RANGE",
    "UNKNOWN_TOPIC_ID",
    "DUPLICATE_BROKER_REGISTRATION",
    "BROKER_ID_NOT_REGISTERED",
    "INCONSISTENT_TOPIC_ID",
    "INCONSISTENT_CLUSTER_ID",
    "TRANSACTIONAL_ID_NOT_FOUND",
    "FETCH_SESSION_TOPIC_ID_ERROR",
    "INELIGIBLE_REPLICA",
    "NEW_LEADER_ELECTED",
    "OFFSET_MOVED_TO_TIERED_STORAGE",
    "FENCED_MEMBER_EPOCH",
    "UNRELEASED_INSTANCE_ID",
    "UNSUPPORTED_ASSIGNOR",
    "STALE_MEMBER_EPOCH",
    "MISMATCHED_ENDPOINT_TYPE",
    "UNSUPPORTED_ENDPOINT_TYPE",
    "UNKNOWN_CONTROLLER_ID",
    "UNKNOWN_SUBSCRIPTION_ID",
    "TELEMETRY_TOO_LARGE",
    "INVALID_REGISTRATION",
    "TRANSACTION_ABORTABLE",
    "INVALID_RECORD_STATE",
    "SHARE_SESSION_NOT_FOUND",
    "INVALID_SHARE_SESSION_EPOCH",
    "FENCED_STATE_EPOCH",
    "INVALID_VOTER_KEY",
    "DUPLICATE_VOTER",
    "VOTER_NOT_FOUND",
    "INVALID_REGULAR_EXPRESSION",
    "REBOOTSTRAP_REQUIRED",
    "STREAMS_INVALID_TOPOLOGY",
    "STREAMS_INVALID_TOPOLOGY_EPOCH",
    "STREAMS_TOPOLOGY_FENCED",
    "SHARE_SESSION_LIMIT_REACHED",
];

/// The errors of the client library's own, with an underscore before them: what Kafka did not answer.
pub const CLIENT_ERRORS: [&str; 28] = [
    "_ALL_BROKERS_DOWN",
    "_ASSIGNMENT_LOST",
    "_AUTHENTICATION",
    "_AUTO_OFFSET_RESET",
    "_BAD_COMPRESSION",
    "_BAD_MSG",
    "_CONFLICT",
    "_FAIL",
    "_FATAL",
    "_FENCED",
    "_GAPLESS_GUARANTEE",
    "_INCONSISTENT",
    "_INVALID_ARG",
    "_LOG_TRUNCATION",
    "_MAX_POLL_EXCEEDED",
    "_MSG_TIMED_OUT",
    "_NO_OFFSET",
    "_QUEUE_FULL",
    "_RESOLVE",
    "_SSL",
    "_STATE",
    "_TIMED_OUT",
    "_TIMED_OUT_QUEUE",
    "_TRANSPORT",
    "_UNKNOWN_GROUP",
    "_UNKNOWN_PARTITION",
    "_UNKNOWN_TOPIC",
    "_UNSUPPORTED_FEATURE",
];

/// Error codes that plans may name.
fn known() -> impl Iterator<Item = &'static str> {
    KAFKA_ERRORS.into_iter().chain(CLIENT_ERRORS)
}

/// Which error is meant.
#[derive(Debug, Clone)]
pub enum ExpectedError {
    /// The error of exactly this name.
    Code(String),
    /// An error whose name and message, `NAME: message`, match a pattern.
    Matches(regex::Regex),
}

args! {
    /// A pattern.
    pub struct Pattern("error") {
        /// A regular expression, found anywhere in `NAME: message`.
        matches: Spanned<String>,
    }
}

impl PartialEq for ExpectedError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Code(one), Self::Code(other)) => one == other,
            (Self::Matches(one), Self::Matches(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl std::fmt::Display for ExpectedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code),
            Self::Matches(pattern) => write!(f, "an error that matches /{pattern}/"),
        }
    }
}

impl Meaning for ExpectedError {
    fn meaning(&self) -> serde_json::Value {
        match self {
            Self::Code(code) => code.clone().into(),
            Self::Matches(pattern) => serde_json::json!({ "matches": pattern.as_str() }),
        }
    }
}

impl FromNode for ExpectedError {
    const EXPECTS: &'static str =
        "an error code such as `NOT_ENOUGH_REPLICAS`, or `{matches: ...}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let pattern = reader.read::<Pattern>(node)?;
                read_pattern(&pattern.matches, reader).map(Self::Matches)
            }
            Kind::Scalar(scalar) if known().any(|code| code == &*scalar.text) => {
                Some(Self::Code(scalar.text.clone()))
            }
            Kind::Scalar(scalar) if !scalar.is_null() => {
                let message = format!("`{}` is no error of Kafka or its client", scalar.text);
                let help = nearest(&scalar.text, known()).map_or_else(
                    || "name the code, or a part of its message: `{ matches: ... }`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                reader.push(Diagnostic::new(Code::E014, node.span, message).help(help));
                None
            }
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let codes: Vec<&str> = known().collect();
        let pattern = Pattern::schema(generator);
        json_schema!({ "anyOf": [{ "type": "string", "enum": codes }, pattern] })
    }
}

/// A regular expression that says something: one that is found in an empty text is found in any.
fn read_pattern(text: &Spanned<String>, reader: &mut Reader) -> Option<regex::Regex> {
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    let message = match built {
        Ok(pattern) if !pattern.is_match("") => return Some(pattern),
        Ok(_) => "the regular expression matches every error".to_owned(),
        Err(error) => {
            let why = error.to_string();
            let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("not a regular expression: {last}")
        }
    };
    reader.push(Diagnostic::new(Code::E013, text.span, message));
    None
}
