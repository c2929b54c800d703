//! What requests are about, and changed answers of brokers.

use std::io;

use bytes::Bytes;
use kafka_protocol::{ResponseError, messages::*, protocol::Decodable};

use super::super::{Asked, Call, invalid};

/// The body of a request.
pub(super) fn read<B: Decodable>(asked: &Asked) -> io::Result<B> {
    B::decode(&mut asked.body.clone(), asked.call.version()).map_err(invalid)
}

/// Whether the client waits for an answer: not where it sends with acks=0.
pub fn are_awaited(asked: &Asked) -> io::Result<bool> {
    match asked.call.api {
        ApiKey::Produce => Ok(read::<ProduceRequest>(asked)?.acks != 0),
        _ => Ok(true),
    }
}

/// Whether the broker carries out a request that is answered with this error.
pub fn is_carried_out(api: ApiKey, error: ResponseError) -> bool {
    match api {
        ApiKey::Produce => matches!(
            error,
            ResponseError::NotEnoughReplicasAfterAppend | ResponseError::RequestTimedOut
        ),
        // Its answer names the brokers too.
        ApiKey::Metadata => true,
        _ => false,
    }
}

/// The names and ids of the topics that a request names.
pub fn topics(asked: &Asked) -> io::Result<Vec<(String, u128)>> {
    Ok(match asked.call.api {
        ApiKey::Produce => {
            let request: ProduceRequest = read(asked)?;
            let topics = request.topic_data.iter();
            topics.map(|t| (t.name.to_string(), t.topic_id.as_u128())).collect()
        }
        ApiKey::Fetch => {
            let request: FetchRequest = read(asked)?;
            let topics = request.topics.iter();
            topics.map(|t| (t.topic.to_string(), t.topic_id.as_u128())).collect()
        }
        ApiKey::ListOffsets => {
            let request: ListOffsetsRequest = read(asked)?;
            request.topics.iter().map(|t| (t.name.to_string(), 0)).collect()
        }
        ApiKey::OffsetCommit => {
            let request: OffsetCommitRequest = read(asked)?;
            let topics = request.topics.iter();
            topics.map(|t| (t.name.to_string(), t.topic_id.as_u128())).collect()
        }
        ApiKey::Metadata => {
            let request: MetadataRequest = read(asked)?;
            let name = |name: &Option<TopicName>| name.as_ref().map(|name| name.to_string());
            let topics = request.topics.iter().flatten();
            topics.map(|t| (name(&t.name).unwrap_or_default(), t.topic_id.as_u128())).collect()
        }
        _ => Vec::new(),
    })
}

/// A broker's answer with this error instead of what it did; none if there is nothing in it that could have an error.
pub fn with_error(call: &Call, frame: Bytes, code: i16) -> io::Result<Option<Bytes>> {
    match call.api {
        ApiKey::Produce => {
            let mut answer: ProduceResponse = call.read_answer(frame)?;
            for topic in &mut answer.responses {
                for part in &mut topic.partition_responses {
                    (part.error_code, part.base_offset) = (code, -1);
                }
            }
            call.answer(&answer).map(Some)
        }
        ApiKey::Metadata => {
            let mut answer: MetadataResponse = call.read_answer(frame)?;
            if answer.topics.is_empty() {
                return Ok(None);
            }
            for topic in &mut answer.topics {
                topic.error_code = code;
                topic.partitions.clear();
            }
            call.answer(&answer).map(Some)
        }
        other => Err(invalid(format!("an answer to {other:?} is not changed"))),
    }
}

/// A broker's answer that demands that the client waits.
pub fn with_throttle(call: &Call, frame: Bytes, ms: i32) -> io::Result<Bytes> {
    macro_rules! throttled {
        ($($name:ident: $answer:ty),+ $(,)?) => {
            match call.api {
                $(ApiKey::$name => {
                    let answer: $answer = call.read_answer(frame)?;
                    call.answer(&answer.with_throttle_time_ms(ms))
                })+
                other => Err(invalid(format!("no throttle of {other:?} is known"))),
            }
        };
    }
    throttled! {
        Produce: ProduceResponse,
        Fetch: FetchResponse,
        ListOffsets: ListOffsetsResponse,
        Metadata: MetadataResponse,
        OffsetCommit: OffsetCommitResponse,
        OffsetFetch: OffsetFetchResponse,
        FindCoordinator: FindCoordinatorResponse,
        JoinGroup: JoinGroupResponse,
        SyncGroup: SyncGroupResponse,
        Heartbeat: HeartbeatResponse,
        LeaveGroup: LeaveGroupResponse,
        ConsumerGroupHeartbeat: ConsumerGroupHeartbeatResponse,
        InitProducerId: InitProducerIdResponse,
        AddPartitionsToTxn: AddPartitionsToTxnResponse,
        AddOffsetsToTxn: AddOffsetsToTxnResponse,
        TxnOffsetCommit: TxnOffsetCommitResponse,
        EndTxn: EndTxnResponse,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::BytesMut;
    use kafka_protocol::{
        messages::produce_request::*,
        protocol::{Encodable, Message, StrBytes, encode_request_header_into_buffer},
    };

    use super::{super::made::made, *};

    /// A request as a client sends it.
    pub fn asked(api: ApiKey, version: i16, body: &impl Encodable) -> Asked {
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(version)
            .with_correlation_id(7);
        let mut frame = BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &header).expect("a header");
        body.encode(&mut frame, version).expect("a body");
        let frame = frame.freeze();
        let mut body = frame.clone();
        let call = Call::read(&mut body).expect("a call");
        Asked { call, frame, body }
    }

    /// The versions that clients of Kafka 0.11 and newer use.
    macro_rules! each_version {
        ($($api:ident: $request:ty => $answer:ty, $last:expr),+ $(,)?) => {
            $(for version in <$request as Message>::VERSIONS.min..=$last {
                let asked = asked(ApiKey::$api, version, &<$request>::default());
                let made = made(&asked, 3).unwrap_or_else(|e| {
                    panic!("{} in version {version}: {e}", stringify!($api))
                });
                let answer: $answer = asked.call.read_answer(made.clone()).expect("an answer");
                let slow = with_throttle(&asked.call, made, 5).expect("a throttle");
                let slow: $answer = asked.call.read_answer(slow).expect("an answer");
                let waits = slow.throttle_time_ms;
                assert!([0, 5].contains(&waits), "{answer:?}");
            })+
        };
    }

    #[test]
    fn every_kind_is_answered_in_every_version() {
        let last = |versions: kafka_protocol::protocol::VersionRange| versions.max;
        each_version! {
            Produce: ProduceRequest => ProduceResponse, last(ProduceRequest::VERSIONS),
            Fetch: FetchRequest => FetchResponse, last(FetchRequest::VERSIONS),
            ListOffsets: ListOffsetsRequest => ListOffsetsResponse, last(ListOffsetsRequest::VERSIONS),
            OffsetCommit: OffsetCommitRequest => OffsetCommitResponse, last(OffsetCommitRequest::VERSIONS),
            OffsetFetch: OffsetFetchRequest => OffsetFetchResponse, last(OffsetFetchRequest::VERSIONS),
            FindCoordinator: FindCoordinatorRequest => FindCoordinatorResponse, last(FindCoordinatorRequest::VERSIONS),
            JoinGroup: JoinGroupRequest => JoinGroupResponse, last(JoinGroupRequest::VERSIONS),
            SyncGroup: SyncGroupRequest => SyncGroupResponse, last(SyncGroupRequest::VERSIONS),
            Heartbeat: HeartbeatRequest => HeartbeatResponse, last(HeartbeatRequest::VERSIONS),
            LeaveGroup: LeaveGroupRequest => LeaveGroupResponse, last(LeaveGroupRequest::VERSIONS),
            ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse,
                last(ConsumerGroupHeartbeatRequest::VERSIONS),
            InitProducerId: InitProducerIdRequest => InitProducerIdResponse, last(InitProducerIdRequest::VERSIONS),
            AddPartitionsToTxn: AddPartitionsToTxnRequest => AddPartitionsToTxnResponse, 3,
            AddOffsetsToTxn: AddOffsetsToTxnRequest => AddOffsetsToTxnResponse, last(AddOffsetsToTxnRequest::VERSIONS),
            TxnOffsetCommit: TxnOffsetCommitRequest => TxnOffsetCommitResponse, last(TxnOffsetCommitRequest::VERSIONS),
            EndTxn: EndTxnRequest => EndTxnResponse, last(EndTxnRequest::VERSIONS),
        }
    }

    #[test]
    fn each_partition_of_a_request_gets_the_error() {
        let part = |index| PartitionProduceData::default().with_index(index);
        let name = TopicName(StrBytes::from_static_str("orders"));
        let topic = TopicProduceData::default().with_name(name);
        let topic = topic.with_partition_data(vec![part(0), part(4)]);
        let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
        let asked = asked(ApiKey::Produce, 9, &request);
        assert_eq!(topics(&asked).expect("topics"), [("orders".to_owned(), 0)]);
        assert!(are_awaited(&asked).expect("acks"));
        let made = made(&asked, 19).expect("an answer");
        let answer: ProduceResponse = asked.call.read_answer(made).expect("an answer");
        let parts = answer.responses.iter().flat_map(|t| &t.partition_responses);
        let parts: Vec<_> = parts.map(|p| (p.index, p.error_code, p.base_offset)).collect();
        assert_eq!(parts, [(0, 19, -1), (4, 19, -1)]);
    }

    #[test]
    fn brokers_stay_known_where_topics_get_an_error() {
        let asked = asked(ApiKey::Metadata, 9, &MetadataRequest::default());
        let name = Some(TopicName(StrBytes::from_static_str("orders")));
        let topic = metadata_response::MetadataResponseTopic::default().with_name(name);
        let broker = metadata_response::MetadataResponseBroker::default();
        let all = MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic]);
        let frame = asked.call.answer(&all).expect("an answer");
        let changed = with_error(&asked.call, frame, 3).expect("changed").expect("a topic");
        let answer: MetadataResponse = asked.call.read_answer(changed).expect("an answer");
        assert_eq!((answer.brokers.len(), answer.topics[0].error_code), (1, 3));
        let none = asked.call.answer(&MetadataResponse::default()).expect("an answer");
        assert!(with_error(&asked.call, none, 3).expect("read").is_none(), "no topic is in it");
    }
}
