//! Reading a history, also while its client writes it, in memory that does not grow with it.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Header, HistoryError, MessageRun, OPEN_WINDOW, RUN_SPAN_US, layout, mapped::Mapping};

/// Records in a window: 256 KiB are mapped at once.
const WINDOW: u64 = 4096;

/// An open history file. Cheap to keep: it maps the header page and one window of records.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    file: File,
    header: Header,
    page: Mapping,
    data_at: u64,
    len: u64,
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    first: u64,
    records: u64,
    mapping: Mapping,
}

impl HistoryFile {
    /// Opens a history with what is published by now.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let file = File::open(path).map_err(HistoryError::io(path, "cannot open it"))?;
        let bytes = file.metadata().map_err(HistoryError::io(path, "cannot stat it"))?.len();
        if bytes < layout::PAGE as u64 {
            return Err(HistoryError::damaged(path, format!("{bytes} bytes hold no header")));
        }
        let page = Mapping::readable(&file, 0, layout::PAGE)
            .map_err(HistoryError::io(path, "cannot map its header"))?;
        let word = |i: usize| page.words().get(i).map_or(0, |w| w.load(Ordering::Acquire));
        let (json_len, data_at) = (word(3), word(4));
        if word(0) != layout::MAGIC {
            return Err(HistoryError::damaged(path, "it does not begin as a history"));
        }
        if word(1) != layout::VERSION | (layout::RECORD as u64) << 32 {
            return Err(HistoryError::damaged(path, "another format version wrote it"));
        }
        let json_end = json_len.saturating_add(layout::JSON_AT as u64);
        let plausible = json_len <= layout::JSON_MAX as u64
            && data_at == json_end.next_multiple_of(layout::PAGE as u64)
            && data_at <= bytes;
        if !plausible {
            return Err(HistoryError::damaged(path, "its header's lengths contradict its size"));
        }
        let mut json = vec![0; json_len as usize];
        file.read_exact_at(&mut json, layout::JSON_AT as u64)
            .map_err(HistoryError::io(path, "cannot read its header"))?;
        let header = serde_json::from_slice(&json)
            .map_err(|e| HistoryError::damaged(path, format!("its header: {e}")))?;
        let (path, window) = (path.to_owned(), Mutex::new(None));
        let mut this = Self { path, file, header, page, data_at, len: 0, window };
        this.refresh()?;
        Ok(this)
    }

    /// Sees what was published since; returns the number of records now. Runs among the last
    /// [`OPEN_WINDOW`] may have grown too.
    pub fn refresh(&mut self) -> Result<u64, HistoryError> {
        let published =
            self.page.words().get(layout::PUBLISHED).map_or(0, |w| w.load(Ordering::Acquire));
        let bytes =
            self.file.metadata().map_err(HistoryError::io(&self.path, "cannot stat it"))?.len();
        let room = bytes.saturating_sub(self.data_at) / layout::RECORD as u64;
        if published > room {
            let what = format!("it claims {published} records but has space for {room}");
            return Err(HistoryError::damaged(&self.path, what));
        }
        self.len = published;
        Ok(published)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records seen by the last [`HistoryFile::refresh`].
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True when nothing was published.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Records that no writer will change again: all but the last [`OPEN_WINDOW`].
    pub fn settled(&self) -> u64 {
        self.len.saturating_sub(OPEN_WINDOW)
    }

    /// Record `index`, as it is now.
    pub fn get(&self, index: u64) -> Result<MessageRun, HistoryError> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut window, index)
    }

    /// The records from `index` to the end as of the last refresh.
    pub fn iter_from(&self, index: u64) -> Runs<'_> {
        Runs { file: self, next: index, window: None }
    }

    /// The first record that can hold a message of `time_us` or later: every message of the records
    /// before it is older. Records are in the order of their first message, give or take
    /// [`RUN_SPAN_US`].
    pub fn first_at_or_after(&self, time_us: i64) -> Result<u64, HistoryError> {
        let bound = time_us.saturating_sub(2 * RUN_SPAN_US);
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)?.first_us < bound {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn read(&self, window: &mut Option<Window>, index: u64) -> Result<MessageRun, HistoryError> {
        if index >= self.len {
            let what = format!("it has {} records, not record {index}", self.len);
            return Err(HistoryError::damaged(&self.path, what));
        }
        let fits = |w: &Window| index.checked_sub(w.first).is_some_and(|offset| offset < w.records);
        if !window.as_ref().is_some_and(fits) {
            *window = Some(self.map(index / WINDOW * WINDOW)?);
        }
        let words: Option<&[AtomicU64]> = window.as_ref().and_then(|w| {
            let at = (index - w.first) as usize * layout::WORDS;
            w.mapping.words().get(at..at + layout::WORDS)
        });
        words.and_then(layout::load).ok_or_else(|| {
            HistoryError::damaged(&self.path, format!("record {index} has no known mark"))
        })
    }

    fn map(&self, first: u64) -> Result<Window, HistoryError> {
        let records = (self.len - first).min(WINDOW);
        let offset = self.data_at + first * layout::RECORD as u64;
        let mapping = Mapping::readable(&self.file, offset, records as usize * layout::RECORD)
            .map_err(HistoryError::io(&self.path, "cannot map it"))?;
        Ok(Window { first, records, mapping })
    }
}

/// Iterates over records, through a window of its own.
#[derive(Debug)]
pub struct Runs<'a> {
    file: &'a HistoryFile,
    next: u64,
    window: Option<Window>,
}

impl Iterator for Runs<'_> {
    type Item = Result<MessageRun, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.file.len {
            return None;
        }
        let run = self.file.read(&mut self.window, self.next);
        self.next = if run.is_ok() { self.next + 1 } else { self.file.len };
        Some(run)
    }
}
