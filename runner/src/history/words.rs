//! A file of counters that survive the SIGKILL of their writer, and that processes share.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::atomic::AtomicU64};

use super::{HistoryError, mapped::Mapping, writer::allocate};

/// 64-bit words in a shared mapping, 0 at first.
#[derive(Debug)]
pub struct Words(Mapping);

impl Words {
    /// Opens the file (readable by its owner only), or makes it.
    pub fn open(path: &Path, words: usize) -> Result<Self, HistoryError> {
        let io = |what| HistoryError::io(path, what);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(io("cannot open it"))?;
        // Existing data is kept: only holes are filled.
        allocate(&file, 0, words * 8).map_err(io("cannot allocate it"))?;
        Ok(Self(Mapping::writable(&file, 0, words * 8).map_err(io("cannot map it"))?))
    }

    pub fn get(&self) -> &[AtomicU64] {
        self.0.words()
    }
}
