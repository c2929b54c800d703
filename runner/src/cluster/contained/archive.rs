//! The files of a partition, from a tar archive of its directory.

use std::{
    io,
    path::{Path, PathBuf},
};

use futures::StreamExt as _;
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncWriteExt as _},
};
use tokio_tar::Archive;

/// Writes the segment files of an archive into a directory, and returns their paths. Index files, which are
/// preallocated in full, are in the archive too and are skipped. Fails when the segments have more than `most` bytes.
pub async fn unpack(
    archive: impl AsyncRead + Unpin,
    into: &Path,
    most: u64,
) -> io::Result<Vec<PathBuf>> {
    let mut archive = Archive::new(archive);
    let mut entries = archive.entries()?;
    let mut files = Vec::new();
    let mut left = most;
    while let Some(entry) = entries.next().await {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        // Only the file name is used: the archive must not choose the directory.
        let Some(name) = path.file_name() else { continue };
        if path.extension().is_none_or(|kind| kind != "log") {
            continue;
        }
        let size = entry.header().size()?;
        left = left
            .checked_sub(size)
            .ok_or_else(|| io::Error::other(format!("it holds more than {most} bytes")))?;
        let path = into.join(name);
        let mut file = File::create(&path).await?;
        tokio::io::copy(&mut entry, &mut file).await?;
        file.flush().await?;
        files.push(path);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive as the engine makes it of a partition's directory.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in files {
            let mut header = [0_u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[100..107].copy_from_slice(b"0000644");
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[136..147].copy_from_slice(b"00000000000");
            header[156] = b'0';
            header[257..265].copy_from_slice(b"ustar\x0000");
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            bytes.extend(header);
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    #[tokio::test]
    async fn segments_are_taken_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let archive = archive(&[
            ("orders-0/00000000000000000000.index", &[0; 3000]),
            ("orders-0/00000000000000000000.log", b"first"),
            ("orders-0/../../00000000000000000007.log", b"second"),
            ("orders-0/leader-epoch-checkpoint", b"0"),
        ]);
        let files = unpack(&archive[..], dir.path(), 100).await.expect("an archive");
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|f| f.parent() == Some(dir.path())), "{files:?}");
        assert_eq!(std::fs::read(&files[1]).expect("a file"), b"second");
        let few = unpack(&archive[..], dir.path(), 10).await.expect_err("more than 10 bytes");
        assert_eq!(few.to_string(), "it holds more than 10 bytes");
    }
}
