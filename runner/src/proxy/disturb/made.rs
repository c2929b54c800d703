//! Answers with an error that no broker gave.

use std::io;

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        add_partitions_to_txn_response::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
        },
        fetch_response::{FetchableTopicResponse, PartitionData},
        find_coordinator_response::Coordinator,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::OffsetFetchResponseGroup,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
        txn_offset_commit_response::{
            TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        },
        *,
    },
    protocol::StrBytes,
};

use super::{
    super::{Asked, invalid},
    answers::read,
};

/// From this version on a request for coordinators has several keys, and one for offsets several groups.
const SEVERAL_COORDINATORS: i16 = 4;
const SEVERAL_GROUPS: i16 = 8;

/// The answer to a request.
pub fn made(asked: &Asked, code: i16) -> io::Result<Bytes> {
    let call = &asked.call;
    /// The answer of a kind that has one error for all.
    macro_rules! one_error {
        ($answer:ty) => {
            call.answer(&<$answer>::default().with_error_code(code))
        };
    }
    match call.api {
        ApiKey::Produce => call.answer(&produce(asked, code)?),
        ApiKey::Fetch => call.answer(&fetch(asked, code)?),
        ApiKey::ListOffsets => call.answer(&list_offsets(asked, code)?),
        ApiKey::OffsetCommit => call.answer(&offset_commit(asked, code)?),
        ApiKey::OffsetFetch => call.answer(&offset_fetch(asked, code)?),
        ApiKey::FindCoordinator => call.answer(&find_coordinator(asked, code)?),
        ApiKey::AddPartitionsToTxn => call.answer(&add_partitions(asked, code)?),
        ApiKey::TxnOffsetCommit => call.answer(&txn_offset_commit(asked, code)?),
        ApiKey::JoinGroup => one_error!(JoinGroupResponse),
        ApiKey::SyncGroup => one_error!(SyncGroupResponse),
        ApiKey::Heartbeat => one_error!(HeartbeatResponse),
        ApiKey::LeaveGroup => one_error!(LeaveGroupResponse),
        ApiKey::ConsumerGroupHeartbeat => one_error!(ConsumerGroupHeartbeatResponse),
        ApiKey::InitProducerId => one_error!(InitProducerIdResponse),
        ApiKey::AddOffsetsToTxn => one_error!(AddOffsetsToTxnResponse),
        ApiKey::EndTxn => one_error!(EndTxnResponse),
        other => Err(invalid(format!("no answer to {other:?} with an error is known"))),
    }
}

fn produce(asked: &Asked, code: i16) -> io::Result<ProduceResponse> {
    let request: ProduceRequest = read(asked)?;
    let one = |topic: produce_request::TopicProduceData| {
        let part = |index| {
            let part = PartitionProduceResponse::default().with_index(index);
            part.with_error_code(code).with_base_offset(-1)
        };
        let parts = topic.partition_data.iter().map(|p| part(p.index)).collect();
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(parts)
    };
    let all = request.topic_data.into_iter().map(one).collect();
    Ok(ProduceResponse::default().with_responses(all))
}

fn fetch(asked: &Asked, code: i16) -> io::Result<FetchResponse> {
    let request: FetchRequest = read(asked)?;
    let one = |topic: fetch_request::FetchTopic| {
        let part = |index| {
            let part = PartitionData::default().with_partition_index(index).with_error_code(code);
            part.with_high_watermark(-1).with_records(Some(Bytes::new()))
        };
        let parts = topic.partitions.iter().map(|p| part(p.partition)).collect();
        FetchableTopicResponse::default()
            .with_topic(topic.topic)
            .with_topic_id(topic.topic_id)
            .with_partitions(parts)
    };
    let all = request.topics.into_iter().map(one).collect();
    Ok(FetchResponse::default().with_responses(all))
}

fn list_offsets(asked: &Asked, code: i16) -> io::Result<ListOffsetsResponse> {
    let request: ListOffsetsRequest = read(asked)?;
    let one = |topic: list_offsets_request::ListOffsetsTopic| {
        let part = |index| {
            let part = ListOffsetsPartitionResponse::default().with_partition_index(index);
            part.with_error_code(code)
        };
        let parts = topic.partitions.iter().map(|p| part(p.partition_index)).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(parts)
    };
    let all = request.topics.into_iter().map(one).collect();
    Ok(ListOffsetsResponse::default().with_topics(all))
}

fn offset_commit(asked: &Asked, code: i16) -> io::Result<OffsetCommitResponse> {
    let request: OffsetCommitRequest = read(asked)?;
    let one = |topic: offset_commit_request::OffsetCommitRequestTopic| {
        let part = |index| {
            let part = OffsetCommitResponsePartition::default().with_partition_index(index);
            part.with_error_code(code)
        };
        let parts = topic.partitions.iter().map(|p| part(p.partition_index)).collect();
        OffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partitions(parts)
    };
    let all = request.topics.into_iter().map(one).collect();
    Ok(OffsetCommitResponse::default().with_topics(all))
}

fn offset_fetch(asked: &Asked, code: i16) -> io::Result<OffsetFetchResponse> {
    if asked.call.version() < SEVERAL_GROUPS {
        return Ok(OffsetFetchResponse::default().with_error_code(code));
    }
    let request: OffsetFetchRequest = read(asked)?;
    let group = |group: offset_fetch_request::OffsetFetchRequestGroup| {
        OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_error_code(code)
    };
    let all = request.groups.into_iter().map(group).collect();
    Ok(OffsetFetchResponse::default().with_groups(all))
}

fn find_coordinator(asked: &Asked, code: i16) -> io::Result<FindCoordinatorResponse> {
    let nobody = BrokerId(-1);
    if asked.call.version() < SEVERAL_COORDINATORS {
        let answer = FindCoordinatorResponse::default().with_error_code(code);
        return Ok(answer.with_node_id(nobody).with_port(-1));
    }
    let request: FindCoordinatorRequest = read(asked)?;
    let one = |key: StrBytes| {
        let found = Coordinator::default().with_key(key).with_error_code(code);
        found.with_node_id(nobody).with_port(-1)
    };
    let all = request.coordinator_keys.into_iter().map(one).collect();
    Ok(FindCoordinatorResponse::default().with_coordinators(all))
}

fn add_partitions(asked: &Asked, code: i16) -> io::Result<AddPartitionsToTxnResponse> {
    let request: AddPartitionsToTxnRequest = read(asked)?;
    let one = |topic: add_partitions_to_txn_request::AddPartitionsToTxnTopic| {
        let part = |index| {
            let part = AddPartitionsToTxnPartitionResult::default().with_partition_index(index);
            part.with_partition_error_code(code)
        };
        let parts = topic.partitions.into_iter().map(part).collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name)
            .with_results_by_partition(parts)
    };
    // Later versions are for brokers only.
    let all = request.v3_and_below_topics.into_iter().map(one).collect();
    Ok(AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(all))
}

fn txn_offset_commit(asked: &Asked, code: i16) -> io::Result<TxnOffsetCommitResponse> {
    let request: TxnOffsetCommitRequest = read(asked)?;
    let one = |topic: txn_offset_commit_request::TxnOffsetCommitRequestTopic| {
        let part = |index| {
            let part = TxnOffsetCommitResponsePartition::default().with_partition_index(index);
            part.with_error_code(code)
        };
        let parts = topic.partitions.iter().map(|p| part(p.partition_index)).collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(parts)
    };
    let all = request.topics.into_iter().map(one).collect();
    Ok(TxnOffsetCommitResponse::default().with_topics(all))
}
