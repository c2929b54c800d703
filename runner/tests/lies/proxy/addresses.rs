//! Answers that would lead a client past the proxy, or to a version that the proxy cannot read.

use std::{io, sync::Arc};

use bytes::{Buf, Bytes};
use kafka_protocol::{
    error::ResponseError,
    messages::{
        ApiKey, ApiVersionsResponse, DescribeClusterResponse, FindCoordinatorResponse,
        MetadataResponse,
    },
    protocol::StrBytes,
};

use super::{HOST, Shared, frame::Call, lock};

/// Whether answers of this kind are changed by [`rewrite`].
pub fn concerns(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::ApiVersions | ApiKey::Metadata | ApiKey::FindCoordinator | ApiKey::DescribeCluster
    )
}

/// The answer as the client may see it.
pub fn rewrite(shared: &Arc<Shared>, call: &Call, frame: Bytes) -> io::Result<Bytes> {
    match call.api {
        ApiKey::ApiVersions => versions(call, frame),
        ApiKey::Metadata => {
            let mut answer: MetadataResponse = call.read_answer(frame)?;
            for broker in &mut answer.brokers {
                lead(shared, &mut broker.host, &mut broker.port)?;
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
            lead(shared, &mut answer.host, &mut answer.port)?;
            for found in &mut answer.coordinators {
                lead(shared, &mut found.host, &mut found.port)?;
            }
            call.answer(&answer)
        }
        ApiKey::DescribeCluster => {
            let mut answer: DescribeClusterResponse = call.read_answer(frame)?;
            for broker in &mut answer.brokers {
                lead(shared, &mut broker.host, &mut broker.port)?;
            }
            call.answer(&answer)
        }
        _ => Ok(frame),
    }
}

/// Replaces a broker's address by the proxy's. Where an error stands instead of a coordinator there is
/// none.
pub fn lead(shared: &Arc<Shared>, host: &mut StrBytes, port: &mut i32) -> io::Result<()> {
    if host.is_empty() || *port <= 0 {
        return Ok(());
    }
    *port = shared.port_for(&format!("{}:{port}", host.as_str()))?.into();
    *host = StrBytes::from_static_str(HOST);
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
