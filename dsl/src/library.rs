//! The files of one check: read once, parsed once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{self, Kind, Limits, Node};
use crate::source::{FileId, Source, Sources, Span};

/// The source of files: the disk, or memory in tests.
pub trait Files: std::fmt::Debug + Send + Sync {
    /// Reads a whole file, at most `limit` bytes plus one.
    fn read(&self, path: &Path, limit: u64) -> std::io::Result<Vec<u8>>;

    /// The path without links and dots, to see whether two paths are the same file.
    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf>;
}

/// The disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
        use std::io::Read;
        // A FIFO or a device could be read forever, or block before the first byte.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let file = std::fs::File::open(path)?;
        // Space for the whole file and one byte more, so that the second read finds the end.
        let size = file.metadata().map_or(0, |m| m.len()).min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf> {
        path.canonicalize()
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &Path, _: u64) -> std::io::Result<Vec<u8>> {
        let found = self.0.get(&self.canonical(path)?);
        found.cloned().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
    }

    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf> {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir if clean.pop() => {}
                part => clean.push(part),
            }
        }
        Ok(clean)
    }
}

/// A file that was read and parsed.
pub(crate) type Loaded = Result<(FileId, Arc<Node>), Diagnostic>;

/// All files of one check.
#[derive(Debug)]
pub(crate) struct Library {
    files: Box<dyn Files>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sources: Sources,
    loaded: BTreeMap<PathBuf, Loaded>,
    problems: Vec<Diagnostic>,
    secrets: BTreeSet<String>,
}

impl Library {
    pub(crate) fn new(files: Box<dyn Files>) -> Self {
        Self { files, inner: Mutex::default() }
    }

    /// The library of a check that has ended, for its texts.
    pub(crate) fn of_sources(sources: Sources) -> Self {
        let inner = Inner { sources, ..Inner::default() };
        Self { files: Box::new(Memory::default()), inner: Mutex::new(inner) }
    }

    pub(crate) fn files(&self) -> &dyn Files {
        &*self.files
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sources read so far.
    pub(crate) fn sources(&self) -> Sources {
        self.lock().sources.clone()
    }

    /// The mistakes in the documents that could be read.
    pub(crate) fn problems(&self) -> Vec<Diagnostic> {
        self.lock().problems.clone()
    }

    /// The secrets in the files.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.lock().secrets.clone()
    }

    /// Makes the texts of a value secret, as YAML reads them and as they are written in the file.
    pub(crate) fn hide(&self, node: &Node) {
        match &node.kind {
            Kind::Seq(nodes) => nodes.iter().for_each(|inner| self.hide(inner)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.hide(&entry.value)),
            Kind::Scalar(scalar) => {
                let text = scalar.text.as_str();
                if scalar.is_null() || scalar.is_template() || matches!(text, "true" | "false") {
                    return;
                }
                let written =
                    self.with(node.span.file, |source| source.slice(node.span).to_owned());
                let written = written.unwrap_or_default();
                let written = written.trim().trim_matches(['"', '\'']);
                let all = [text, written].into_iter().filter(|text| !text.trim().is_empty());
                self.lock().secrets.extend(all.map(str::to_owned));
            }
        }
    }

    /// Makes these texts secret.
    pub(crate) fn hide_texts(&self, texts: impl IntoIterator<Item = String>) {
        self.lock().secrets.extend(texts);
    }

    /// Calls `look` with one source.
    pub(crate) fn with<R>(&self, file: FileId, look: impl FnOnce(&Source) -> R) -> Option<R> {
        self.lock().sources.get(file).map(look)
    }

    /// Adds a text that is only shown in diagnostics.
    pub(crate) fn note(&self, source: Source) -> FileId {
        self.lock().sources.add(source)
    }

    /// Adds a text that does not come from a file, and parses it.
    pub(crate) fn add(&self, path: &Path, text: impl Into<Arc<str>>) -> Loaded {
        let text = text.into();
        let file = self.lock().sources.add(Source::new(path, Arc::clone(&text)));
        let (node, problems) = document::read(&text, file, &Limits::default())?;
        self.lock().problems.extend(problems);
        Ok((file, Arc::new(node)))
    }

    /// Reads and parses a file once. A file that cannot be read is reported at each `asked`.
    pub(crate) fn load(&self, path: &Path, asked: Option<Span>) -> Loaded {
        let key = self.files.canonical(path).unwrap_or_else(|_| path.to_owned());
        if let Some(loaded) = self.lock().loaded.get(&key) {
            return loaded.clone();
        }
        let limits = Limits::default();
        let loaded = match self.files.read(path, limits.bytes) {
            Ok(bytes) => self.take(path, bytes, &limits),
            // It is reported at each place that needs it, so it is not kept.
            Err(error) => return Err(self.unreadable(path, &error.to_string(), asked)),
        };
        self.lock().loaded.insert(key, loaded.clone());
        loaded
    }

    fn take(&self, path: &Path, bytes: Vec<u8>, limits: &Limits) -> Loaded {
        if bytes.len() as u64 > limits.bytes {
            let file = self.lock().sources.add(Source::new(path, ""));
            let message = format!("the file is larger than {} MiB", limits.bytes >> 20);
            return Err(Diagnostic::new(Code::E002, Span { file, start: 0, end: 0 }, message));
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.add(path, text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let good = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let file = self.lock().sources.add(Source::new(path, good));
                let start = u32::try_from(at).unwrap_or(u32::MAX);
                let span = Span { file, start, end: start.saturating_add(1) };
                Err(Diagnostic::new(Code::E005, span, "the file is not UTF-8 text"))
            }
        }
    }

    fn unreadable(&self, path: &Path, why: &str, asked: Option<Span>) -> Diagnostic {
        let message = format!("cannot read {}: {why}", path.display());
        let span = asked.unwrap_or_else(|| {
            let file = self.lock().sources.add(Source::new(path, ""));
            Span { file, start: 0, end: 0 }
        });
        Diagnostic::new(Code::E005, span, message)
    }

    /// The place of a part of a scalar's text: exact when the scalar stands in the source as it is.
    pub(crate) fn inside(&self, span: Span, text: &str, range: Range<usize>) -> Span {
        self.with(span.file, |source| source.inside(span, text, range)).unwrap_or(span)
    }
}
