//! Kafka's errors by name: the names that reports show and plans expect.

use kafka_protocol::ResponseError;

/// What Kafka answered to a request: a fact about Kafka, not about the rig.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KafkaError {
    /// Kafka's error name, e.g. `INVALID_REPLICATION_FACTOR`.
    pub code: String,
    pub message: String,
}

/// Kafka's own name of a code, if the protocol library knows it.
pub fn kafkas_own(code: i32) -> Option<String> {
    let error = i16::try_from(code).ok().and_then(ResponseError::try_from_code)?;
    (!matches!(error, ResponseError::Unknown(_))).then(|| error_name(error))
}

/// Kafka's name of an error as its documentation writes it, e.g. `NOT_LEADER_OR_FOLLOWER`.
pub fn error_name(error: ResponseError) -> String {
    if let ResponseError::Unknown(code) = error {
        return format!("ERROR_{code}");
    }
    let mut name = String::new();
    for c in format!("{error:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_are_kafkas() {
        assert_eq!(error_name(ResponseError::NotLeaderOrFollower), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(
            error_name(ResponseError::UnknownTopicOrPartition),
            "UNKNOWN_TOPIC_OR_PARTITION"
        );
        assert_eq!(error_name(ResponseError::Unknown(4242)), "ERROR_4242");
        assert_eq!(kafkas_own(6).as_deref(), Some("NOT_LEADER_OR_FOLLOWER"));
        assert_eq!(kafkas_own(-185), None, "a code of librdkafka's own");
    }
}
