//! KRaft storage, formatted once for each image instead of by a JVM in every node.
//!
//! A format writes two small files: `meta.properties`, which kplan writes itself, and
//! `bootstrap.checkpoint`, which names the features of that Kafka version and nothing of the node
//! or the cluster. The first cluster of an image formats in its containers; the checkpoint is then
//! kept in this user's cache, under the image's id, and copied into every later cluster.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use rand::seq::IndexedRandom;

use super::addresses::HOME;

/// Where the checkpoint lies below [`HOME`].
pub const CHECKPOINT: &str = "data/bootstrap.checkpoint";

/// Where the checkpoint lies in a container.
pub fn checkpoint_path() -> String {
    format!("{HOME}/{CHECKPOINT}")
}

/// The largest checkpoint; a longer file in the cache is not kplan's.
const MAX_BYTES: u64 = 64 * 1024;

/// The cached checkpoint of an image (or of a directory of jars), if an earlier cluster left one.
pub fn load(image_id: &str) -> Option<Vec<u8>> {
    let path = path(&cache()?, image_id)?;
    let length = std::fs::metadata(&path).ok()?.len();
    if length == 0 || length > MAX_BYTES {
        return None;
    }
    std::fs::read(path).ok()
}

/// Keeps a checkpoint for later clusters of an image. Errors are ignored: it is only a cache.
pub fn keep(image_id: &str, checkpoint: &[u8]) {
    let Some(path) = cache().and_then(|cache| path(&cache, image_id)) else { return };
    if !checkpoint.is_empty() {
        let _ = store(&path, checkpoint);
    }
}

/// Another kplan may read or write at the same time: the file appears complete or not at all.
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.persist(path)?;
    Ok(())
}

fn cache() -> Option<PathBuf> {
    Some(cache_root()?.join("storage"))
}

/// The directory for files that kplan can make or fetch again: `KPLAN_CACHE`, else this user's cache.
pub fn cache_root() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let usual = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    absolute("KPLAN_CACHE").or_else(|| Some(usual()?.join("kplan")))
}

/// An image's id is `sha256:` and hexadecimal digits.
fn path(cache: &Path, image_id: &str) -> Option<PathBuf> {
    let name = image_id.replace(':', "-");
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| cache.join(format!("{name}.checkpoint")))
}

/// A node's `meta.properties`, as a format would write it.
pub fn meta_properties(cluster_id: &str, node_id: u32, knows_directories: bool) -> String {
    let mut text = format!("version=1\ncluster.id={cluster_id}\nnode.id={node_id}\n");
    if knows_directories {
        let _ = writeln!(text, "directory.id={}", random_id());
    }
    text
}

/// KRaft's ids are 16 bytes in URL-safe base64 without padding. Kafka reserves ids that begin
/// with `A`s, and its tools take a leading `-` for an option.
pub fn random_id() -> String {
    const LETTERS: &[u8] = b"BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789A-_";
    const FIRST: &[u8] = LETTERS.split_at(61).0;
    // 22 letters hold 132 bits: the last one's lower four bits are 0.
    const LAST: &[u8] = b"AQgw";
    let mut random = rand::rng();
    (0..22)
        .map(|i| match i {
            0 => FIRST,
            21 => LAST,
            _ => LETTERS,
        })
        .filter_map(|letters| letters.choose(&mut random))
        .map(|letter| char::from(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ones_that_kafka_takes() {
        for _ in 0..500 {
            let id = random_id();
            assert_eq!(id.len(), 22, "{id}");
            assert!(!id.starts_with(['A', '-', '_']), "{id}");
            assert!(id.ends_with(['A', 'Q', 'g', 'w']), "{id}");
        }
    }

    #[test]
    fn what_is_stored_is_found_under_the_images_id_only() {
        let cache = tempfile::tempdir().expect("a directory");
        let here = path(cache.path(), "sha256:ab12").expect("an id");
        store(&here, b"one").expect("a file");
        store(&here, b"two").expect("the file again");
        assert_eq!(std::fs::read(&here).expect("the file"), b"two");
        assert_eq!(path(cache.path(), "sha256:../x"), None);
        assert_eq!(path(cache.path(), ""), None);
    }

    #[test]
    fn a_node_is_told_who_it_is() {
        let text = meta_properties("5L6g3nShT-eMCtK--X86sw", 101, true);
        assert!(text.starts_with("version=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\nnode.id=101\n"));
        assert!(text.contains("directory.id="));
        assert!(!meta_properties("x", 1, false).contains("directory.id"));
    }
}
