//! Answers that would lead a client past the proxy, or to a version that the proxy cannot read.

use std::{io, sync::Arc};

use bytes::{Buf, Bytes};
use kafka_protocol::{
    error::ResponseError,
    messages::{
        ApiKey, ApiVersionsResponse, DescribeClusterResponse, FetchResponse,
        FindCoordinatorResponse, MetadataResponse, ProduceResponse,
    },
    protocol::StrBytes,
};

use super::{Policy, Shared, frame::Call, lock};

/// The first versions whose answers may name the brokers that lead partitions now (KIP-951).
const PRODUCE_NAMES_LEADERS: i16 = 10;
const FETCH_NAMES_LEADERS: i16 = 16;

/// The answer as the client may see it.
pub fn rewrite<P: Policy>(shared: &Arc<Shared<P>>, call: &Call, frame: Bytes) -> io::Result<Bytes> {
    match call.api {
        ApiKey::ApiVersions => versions(call, frame),
        ApiKey::Metadata => {
            let mut answer: MetadataResponse = call.read_answer(frame)?;
            for broker in &mut answer.brokers {
                lead(shared, broker.node_id.0, &mut broker.host, &mut broker.port)?;
            }
            let mut names = lock(&shared.names);
            for topic in &answer.topics {
                if let Some(name) = &topic.name {
                    names.insert(topic.topic_id.as_u128(), name.to_string());
                }
            }
            call.answer(&answer)
        }
        ApiKey::FindCoordinator => {
            let mut answer: FindCoordinatorResponse = call.read_answer(frame)?;
            lead(shared, answer.node_id.0, &mut answer.host, &mut answer.port)?;
            for found in &mut answer.coordinators {
                lead(shared, found.node_id.0, &mut found.host, &mut found.port)?;
            }
            call.answer(&answer)
        }
        ApiKey::DescribeCluster => {
            let mut answer: DescribeClusterResponse = call.read_answer(frame)?;
            for broker in &mut answer.brokers {
                lead(shared, broker.broker_id.0, &mut broker.host, &mut broker.port)?;
            }
            call.answer(&answer)
        }
        ApiKey::Produce if call.version() >= PRODUCE_NAMES_LEADERS => {
            let mut answer: ProduceResponse = call.read_answer(frame.clone())?;
            for node in &mut answer.node_endpoints {
                lead(shared, node.node_id.0, &mut node.host, &mut node.port)?;
            }
            if answer.node_endpoints.is_empty() { Ok(frame) } else { call.answer(&answer) }
        }
        ApiKey::Fetch if call.version() >= FETCH_NAMES_LEADERS => {
            let mut answer: FetchResponse = call.read_answer(frame.clone())?;
            for node in &mut answer.node_endpoints {
                lead(shared, node.node_id.0, &mut node.host, &mut node.port)?;
            }
            if answer.node_endpoints.is_empty() { Ok(frame) } else { call.answer(&answer) }
        }
        _ => Ok(frame),
    }
}

/// Replaces a broker's address by the proxy's. Where an error stands instead of a coordinator there is
/// none.
fn lead<P: Policy>(
    shared: &Arc<Shared<P>>,
    broker: i32,
    host: &mut StrBytes,
    port: &mut i32,
) -> io::Result<()> {
    if host.is_empty() || *port <= 0 {
        return Ok(());
    }
    *port = shared.door(broker, &format!("{}:{port}", host.as_str()))?.into();
    *host = StrBytes::from_string(shared.at.to_string());
    Ok(())
}

/// No version beyond those that the proxy reads.
fn versions(call: &Call, frame: Bytes) -> io::Result<Bytes> {
    // A broker that does not know the version answers with this error in version 0, whatever was asked.
    let code = frame.get(4..6).map(|mut bytes| bytes.get_i16());
    if code == Some(ResponseError::UnsupportedVersion.code()) {
        return Ok(frame);
    }
    let mut answer: ApiVersionsResponse = call.read_answer(frame)?;
    answer.api_keys.retain_mut(|api| {
        let Ok(key) = ApiKey::try_from(api.api_key) else { return false };
        let known = key.valid_versions();
        api.min_version = api.min_version.max(known.min);
        api.max_version = api.max_version.min(known.max);
        api.min_version <= api.max_version
    });
    call.answer(&answer)
}
