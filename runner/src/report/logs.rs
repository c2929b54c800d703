//! The logs of a suite's nodes and clients in the run's directory.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::text::clean;
use crate::record::SuiteRecord;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The node or client: the file's name without its extension.
    pub who: String,
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// The logs of a suite, by name; none where the run's directory is gone.
pub fn of_suite(suite: &SuiteRecord) -> Vec<LogFile> {
    if suite.dir.as_os_str().is_empty() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(suite.dir.join("logs")) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let path = entry.path();
            let who = path.file_stem()?.to_string_lossy().into_owned();
            Some(LogFile { who, path, size: meta.len() })
        })
        .collect();
    files.sort_by_key(|file| natural(&file.who));
    files
}

/// `broker-10` after `broker-9`.
fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), name[stem.len()..].parse().unwrap_or(0))
}

/// The last bytes of a file as whole, clean lines; empty when it cannot be read.
pub fn tail(path: &Path, bytes: u64) -> String {
    let read = || -> std::io::Result<(bool, Vec<u8>)> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let from = size.saturating_sub(bytes);
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(bytes).read_to_end(&mut text)?;
        Ok((from > 0, text))
    };
    let Ok((cut, bytes)) = read() else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    let whole = match text.split_once('\n') {
        Some((_, rest)) if cut => rest,
        _ => &text,
    };
    clean(whole)
}
