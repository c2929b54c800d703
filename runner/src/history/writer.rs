//! Writing a history: append a run, extend a run. Nanoseconds a message, no system call but for a
//! new chunk, and nothing that a SIGKILL could tear.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use super::{Header, HistoryError, MessageRun, OPEN_WINDOW, layout, mapped::Mapping};

/// Records of one chunk: 1 MiB.
const CHUNK: u64 = 16_384;
const CHUNK_BYTES: usize = CHUNK as usize * layout::RECORD;

/// A run that can still be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u64);

/// The single writer of a history file.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    file: File,
    header: Mapping,
    data_at: u64,
    /// The mapped chunks, oldest first: as few as the open window needs.
    chunks: VecDeque<(u64, Mapping)>,
    len: u64,
}

impl HistoryWriter {
    /// Creates the file (readable by its owner only); it appears under its name when its header is
    /// complete. Fails if it exists: every life of a client has its own.
    pub fn create(path: &Path, header: &Header) -> Result<Self, HistoryError> {
        let json = serde_json::to_vec(header)
            .map_err(|e| HistoryError::damaged(path, format!("its header: {e}")))?;
        if json.len() > layout::JSON_MAX || path.exists() {
            return Err(HistoryError::damaged(path, "it exists, or its topics are too many"));
        }
        let part = path.with_extension("part");
        let io = |what| HistoryError::io(path, what);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(io("cannot create it"))?;
        let data_at = (layout::JSON_AT + json.len()).next_multiple_of(layout::PAGE);
        allocate(&file, 0, data_at).map_err(io("cannot allocate its header"))?;
        file.write_all_at(&json, layout::JSON_AT as u64).map_err(io("cannot write its header"))?;
        let mapping =
            Mapping::writable(&file, 0, layout::PAGE).map_err(io("cannot map its header"))?;
        let version = layout::VERSION | (layout::RECORD as u64) << 32;
        let words = [layout::MAGIC, version, 0, json.len() as u64, data_at as u64];
        for (word, value) in mapping.words().iter().zip(words) {
            word.store(value, Ordering::Release);
        }
        std::fs::rename(&part, path).map_err(io("cannot name it"))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            header: mapping,
            data_at: data_at as u64,
            chunks: VecDeque::new(),
            len: 0,
        })
    }

    /// Appends a run and publishes it. An error (a full disk) leaves what was published readable.
    pub fn append(&mut self, run: &MessageRun) -> Result<Handle, HistoryError> {
        let index = self.len;
        if index.is_multiple_of(CHUNK) {
            self.grow(index / CHUNK)?;
        }
        let words = self
            .record(index)
            .ok_or_else(|| HistoryError::damaged(&self.path, "its last chunk is not mapped"))?;
        layout::store(words, run);
        self.len = index + 1;
        if let Some(published) = self.header.words().get(layout::PUBLISHED) {
            published.store(self.len, Ordering::Release);
        }
        Ok(Handle(index))
    }

    /// Adds `by` messages to a run, the last of them at `last_us`: one release store. False if the
    /// run is too old to be extended ([`OPEN_WINDOW`]); the caller appends then.
    pub fn extend(&mut self, handle: Handle, by: u64, last_us: i64) -> bool {
        if self.len - handle.0 > OPEN_WINDOW {
            return false;
        }
        let Some(words) = self.record(handle.0) else { return false };
        let (Some(count), Some(last)) = (words.get(layout::COUNT), words.get(layout::LAST_US))
        else {
            return false;
        };
        last.store(last_us.cast_unsigned(), Ordering::Relaxed);
        count.store(count.load(Ordering::Relaxed) + by, Ordering::Release);
        true
    }

    /// Records published.
    #[allow(clippy::len_without_is_empty, reason = "it is never needed whether a writer is empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    #[cfg(test)]
    pub(super) fn chunks_mapped(&self) -> usize {
        self.chunks.len()
    }

    fn record(&self, index: u64) -> Option<&[std::sync::atomic::AtomicU64]> {
        let (first, _) = self.chunks.front()?;
        let chunk = usize::try_from((index / CHUNK).checked_sub(*first)?).ok()?;
        let at = (index % CHUNK) as usize * layout::WORDS;
        self.chunks.get(chunk)?.1.words().get(at..at + layout::WORDS)
    }

    fn grow(&mut self, chunk: u64) -> Result<(), HistoryError> {
        let offset = self.data_at + chunk * CHUNK_BYTES as u64;
        allocate(&self.file, offset as usize, CHUNK_BYTES)
            .map_err(HistoryError::io(&self.path, "cannot grow it"))?;
        let mapping = Mapping::writable(&self.file, offset, CHUNK_BYTES)
            .map_err(HistoryError::io(&self.path, "cannot map it"))?;
        self.chunks.push_back((chunk, mapping));
        // The open window reaches back into one chunk at most.
        while self.chunks.len() > 2 {
            self.chunks.pop_front();
        }
        Ok(())
    }
}

impl Drop for HistoryWriter {
    /// Frees space that was allocated and not used.
    fn drop(&mut self) {
        let used = self.data_at + self.len * layout::RECORD as u64;
        // A failure costs disk space only.
        let _ = self.file.set_len(used);
    }
}

pub(super) fn allocate(file: &File, offset: usize, bytes: usize) -> std::io::Result<()> {
    let (offset, bytes) = (offset as i64, bytes as i64);
    nix::fcntl::posix_fallocate(file, offset, bytes).map_err(std::io::Error::from)
}
