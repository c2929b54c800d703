//! Reads a partition's files from a container's disk as an archive of the engine: it needs no process inside,
//! so the disks of dead brokers can be read too.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{Docker, errors::Error, query_parameters::DownloadFromContainerOptionsBuilder};
use futures::TryStreamExt as _;
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::super::{RigError, addresses::HOME, contained::archive::unpack};

/// Limit of one partition.
const LIMIT: Duration = Duration::from_secs(60);

/// Copies the segment files of a partition into a directory.
pub async fn copy(
    docker: &Docker,
    container: &str,
    (topic, partition): (&str, u32),
    into: &Path,
    most: u64,
) -> Result<Vec<PathBuf>, RigError> {
    let what = format!("read {topic}/{partition} on the disk of {container}");
    let path = format!("{HOME}/data/{topic}-{partition}");
    let options = DownloadFromContainerOptionsBuilder::new().path(&path).build();
    let mut absent = false;
    let stream = docker.download_from_container(container, Some(options)).map_err(|error| {
        absent |= is_absent(&error);
        io::Error::other(error.to_string())
    });
    let copied = timeout(LIMIT, unpack(StreamReader::new(Box::pin(stream)), into, most)).await;
    match copied {
        Ok(Ok(files)) => Ok(files),
        // The broker has no such partition.
        Ok(Err(_)) if absent => Ok(Vec::new()),
        Ok(Err(error)) => Err(RigError::Other(format!("cannot {what}: {error}"))),
        Err(_) => Err(RigError::TimedOut { what, limit: LIMIT }),
    }
}

/// The container exists, but the path in it does not.
fn is_absent(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, message }
        if !message.contains("No such container"))
}
