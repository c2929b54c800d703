//! Makes containers: of nodes, of their disks and of services.

use bollard::{
    Docker, body_full,
    errors::Error,
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use tokio_tar as tar;

/// A file of a container before its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFile {
    /// Its absolute path.
    pub path: String,
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

/// Makes a container with files in it, and starts it.
pub async fn start_new(
    docker: &Docker,
    name: &str,
    body: ContainerCreateBody,
    files: Vec<ContainerFile>,
) -> Result<(), Error> {
    make(docker, name, body, files).await?;
    start(docker, name).await
}

/// Makes a container with files in it.
pub async fn make(
    docker: &Docker,
    name: &str,
    body: ContainerCreateBody,
    files: Vec<ContainerFile>,
) -> Result<(), Error> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await?;
    if !files.is_empty() {
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let files = body_full(archive(files).await?);
        docker.upload_to_container(name, Some(options), files).await?;
    }
    Ok(())
}

/// Starts a container that was made.
pub async fn start(docker: &Docker, name: &str) -> Result<(), Error> {
    docker.start_container(name, None::<StartContainerOptions>).await
}

/// The form in which the engine takes files.
async fn archive(files: Vec<ContainerFile>) -> std::io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_cksum();
        let path = file.path.trim_start_matches('/');
        archive.append_data(&mut header, path, file.bytes.as_slice()).await?;
    }
    archive.into_inner().await.map(Bytes::from)
}
