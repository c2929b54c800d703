//! Archives of files (tar), which a container engine unpacks in a container.

use std::io;

use bytes::Bytes;
use tokio_tar as tar;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Where it is unpacked.
    pub path: String,
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

/// An archive of these files.
pub async fn pack(files: Vec<ArchiveFile>) -> io::Result<Bytes> {
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
