//! Errors by the names that clients of other programs give them.

use std::{collections::HashMap, sync::OnceLock};

use crate::{client::raw::Code, codes::kafkas_own};

/// The greatest number of Kafka's errors that is looked for.
const MOST: i32 = 200;
/// Names of Java's exceptions that differ from Kafka's error.
const OTHER_NAMES: [(&str, &str); 3] = [
    ("TIMEOUT", "REQUEST_TIMED_OUT"),
    ("NOT_LEADER_FOR_PARTITION", "NOT_LEADER_OR_FOLLOWER"),
    ("RECORD_TOO_LARGE", "MESSAGE_TOO_LARGE"),
];

/// Name and number of the error that an exception stands for: Kafka's, if it is one of Kafka's. Every other keeps its
/// own name, with librdkafka's number of a failure that is not described further.
pub(super) fn code_of(exception: &str) -> (String, i32) {
    let bare = ["Exception", "Error"].iter().find_map(|end| exception.strip_suffix(end));
    let own = words(bare.unwrap_or(exception));
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == own);
    let kafkas = other.map_or(own.as_str(), |(_, name)| *name);
    match numbers().get(kafkas) {
        Some(number) => (kafkas.to_owned(), *number),
        None => (exception.to_owned(), Code::FAIL.0),
    }
}

fn numbers() -> &'static HashMap<String, i32> {
    static NUMBERS: OnceLock<HashMap<String, i32>> = OnceLock::new();
    let all = || (1..=MOST).filter_map(|number| Some((kafkas_own(number)?, number))).collect();
    NUMBERS.get_or_init(all)
}

/// `NOT_ENOUGH_REPLICAS` of `NotEnoughReplicas`; a name with underscores is one already.
fn words(name: &str) -> String {
    if name.contains('_') {
        return name.to_owned();
    }
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(c.to_ascii_uppercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_named_as_kafka_names_its_errors() {
        let own = |name: &str, number| (name.to_owned(), number);
        for (exception, expected) in [
            ("NotEnoughReplicasException", own("NOT_ENOUGH_REPLICAS", 19)),
            ("NotEnoughReplicasAfterAppendException", own("NOT_ENOUGH_REPLICAS_AFTER_APPEND", 20)),
            ("NOT_ENOUGH_REPLICAS", own("NOT_ENOUGH_REPLICAS", 19)),
            ("NotEnoughReplicasError", own("NOT_ENOUGH_REPLICAS", 19)),
            ("TimeoutException", own("REQUEST_TIMED_OUT", 7)),
            ("NotLeaderForPartitionException", own("NOT_LEADER_OR_FOLLOWER", 6)),
            ("RecordTooLargeException", own("MESSAGE_TOO_LARGE", 10)),
            ("KafkaTimeoutError", own("KafkaTimeoutError", Code::FAIL.0)),
            ("NoBrokersAvailable", own("NoBrokersAvailable", Code::FAIL.0)),
        ] {
            assert_eq!(code_of(exception), expected);
        }
    }
}
