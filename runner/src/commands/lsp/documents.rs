//! The documents that are open in the editor, and files on disk where they are not.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use gen_lsp_types::{Position, Range, TextDocumentContentChangeEvent, Uri};
use kplan_dsl::{
    Disk, Files, Source, Span,
    editor::{EditorFile, looks_like_plan},
};

use super::address::{path_of, uri_of};

/// A document that is open.
#[derive(Debug)]
pub struct OpenDocument {
    pub uri: Uri,
    pub version: i32,
    pub file: EditorFile,
}

impl OpenDocument {
    /// Whether it is a plan or a fragment, and not another file of YAML.
    pub fn is_ours(&self) -> bool {
        looks_like_plan(self.file.source().text())
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

/// All open documents, by their path without links.
#[derive(Clone, Debug, Default)]
pub struct Documents(Arc<HashMap<PathBuf, Arc<OpenDocument>>>);

impl Documents {
    /// Opens a document, or replaces its text.
    pub fn open(&mut self, uri: Uri, version: i32, text: &str) {
        let path = path_of(&uri);
        let key = real(&path);
        let file = EditorFile::new(path, text);
        Arc::make_mut(&mut self.0).insert(key, Arc::new(OpenDocument { uri, version, file }));
    }

    /// Changes the text of an open document.
    pub fn change(&mut self, uri: &Uri, version: i32, changes: &[TextDocumentContentChangeEvent]) {
        let Some(document) = self.get(uri) else { return };
        let mut text = document.file.source().text().to_owned();
        for change in changes {
            text = changed(&text, change);
        }
        self.open(uri.clone(), version, &text);
    }

    pub fn close(&mut self, uri: &Uri) {
        Arc::make_mut(&mut self.0).remove(&real(&path_of(uri)));
    }

    pub fn get(&self, uri: &Uri) -> Option<&Arc<OpenDocument>> {
        self.at(&path_of(uri))
    }

    /// The open document of a path.
    pub fn at(&self, path: &Path) -> Option<&Arc<OpenDocument>> {
        self.0.get(&real(path))
    }

    /// The plans and fragments among them, in the order of their paths.
    pub fn ours(&self) -> Vec<&Arc<OpenDocument>> {
        let mut all: Vec<_> = self.0.values().filter(|document| document.is_ours()).collect();
        all.sort_by_key(|document| document.path().to_owned());
        all
    }

    /// The address of a path, as the editor wrote it if it is open.
    pub fn uri(&self, path: &Path) -> Uri {
        self.at(path).map_or_else(|| uri_of(path), |document| document.uri.clone())
    }

    /// The files of the plans that a document belongs to, itself first: what it includes and, for a fragment, the
    /// plans that include it with their files.
    pub fn family(&self, document: &Arc<OpenDocument>) -> Vec<Relative> {
        let mut found = vec![Relative::Open(Arc::clone(document))];
        let mut seen = BTreeSet::from([real(document.path())]);
        if document.file.is_fragment() {
            for plan in self.includers(document.path()) {
                if seen.insert(real(plan.file().path())) {
                    found.push(plan);
                }
            }
        }
        let mut next = 0;
        while next < found.len() && found.len() < MOST_FILES {
            let included: Vec<PathBuf> = found[next].file().includes().collect();
            for path in included {
                if seen.insert(real(&path)) {
                    found.extend(self.load(&path));
                }
            }
            next += 1;
        }
        found
    }

    /// The plans that include a file, directly or by other files. They lie in its directory or above it.
    pub fn includers(&self, fragment: &Path) -> Vec<Relative> {
        let fragment = real(fragment);
        let mut plans = Vec::new();
        for directory in fragment.ancestors().skip(1).take(MOST_LEVELS) {
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"));
            paths.sort();
            for path in paths.into_iter().take(MOST_FILES) {
                let plan = self.load_if(&path, |text| text.contains("include"));
                let plan = plan.filter(|plan| !plan.file().is_fragment());
                plans.extend(plan.filter(|plan| self.reaches(plan.file(), &fragment)));
            }
        }
        plans
    }

    /// Whether a file includes another one.
    fn reaches(&self, file: &EditorFile, wanted: &Path) -> bool {
        let mut left: Vec<PathBuf> = file.includes().collect();
        let mut seen = BTreeSet::new();
        while let Some(path) = left.pop().filter(|_| seen.len() < MOST_FILES) {
            let key = real(&path);
            if key == wanted {
                return true;
            }
            if seen.insert(key) {
                left.extend(self.load(&path).iter().flat_map(|inner| inner.file().includes()));
            }
        }
        false
    }

    /// A plan or fragment: as it is open, or from the disk.
    fn load(&self, path: &Path) -> Option<Relative> {
        self.load_if(path, |_| true)
    }

    /// The same, if its text is wanted.
    fn load_if(&self, path: &Path, wanted: impl Fn(&str) -> bool) -> Option<Relative> {
        if let Some(document) = self.at(path) {
            return Some(Relative::Open(Arc::clone(document)));
        }
        let bytes = Disk.read(path, MOST_BYTES).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        if !looks_like_plan(&text) || !wanted(&text) {
            return None;
        }
        Some(Relative::OnDisk(Arc::new(EditorFile::new(path, text))))
    }
}

/// The most files of one plan that are searched.
const MOST_FILES: usize = 200;
/// How many directories above a fragment are searched for plans that include it.
const MOST_LEVELS: usize = 4;
/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 20;

/// A file that belongs to the same plan.
#[derive(Clone, Debug)]
pub enum Relative {
    Open(Arc<OpenDocument>),
    OnDisk(Arc<EditorFile>),
}

impl Relative {
    pub fn file(&self) -> &EditorFile {
        match self {
            Self::Open(document) => &document.file,
            Self::OnDisk(file) => file,
        }
    }
}

impl Files for Documents {
    fn read(&self, path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
        match self.at(path) {
            Some(document) => Ok(document.file.source().text().as_bytes().to_vec()),
            None => Disk.read(path, limit),
        }
    }

    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf> {
        match self.0.contains_key(path) {
            true => Ok(path.to_owned()),
            false => Disk.canonical(path),
        }
    }
}

/// The path without links and dots; as it is if there is no such file.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn changed(text: &str, change: &TextDocumentContentChangeEvent) -> String {
    match change {
        TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
            let source = Source::new("", text);
            let (from, to) = (byte(&source, part.range.start), byte(&source, part.range.end));
            let (from, to) = (from.min(to) as usize, from.max(to) as usize);
            format!("{}{}{}", &text[..from], part.text, &text[to..])
        }
        TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
            whole.text.clone()
        }
    }
}

/// The byte of a place.
pub fn byte(source: &Source, at: Position) -> u32 {
    source.byte_of_utf16(at.line, at.character)
}

/// The place of a byte.
pub fn position(source: &Source, byte: u32) -> Position {
    let (line, character) = source.utf16(byte);
    Position { line, character }
}

/// The range of a span.
pub fn range(source: &Source, span: Span) -> Range {
    Range { start: position(source, span.start), end: position(source, span.end) }
}

#[cfg(test)]
mod tests {
    use gen_lsp_types::{TextDocumentContentChangePartial, TextDocumentContentChangeWholeDocument};

    use super::*;

    fn part(start: (u32, u32), end: (u32, u32), text: &str) -> TextDocumentContentChangeEvent {
        let at = |(line, character)| Position { line, character };
        #[allow(deprecated, reason = "the type has the field")]
        let part = TextDocumentContentChangePartial {
            range: Range { start: at(start), end: at(end) },
            range_length: None,
            text: text.to_owned(),
        };
        part.into()
    }

    #[test]
    fn changes_are_made_one_after_the_other_in_utf_16() {
        let mut documents = Documents::default();
        let uri = Uri("untitled:1".to_owned());
        documents.open(uri.clone(), 1, "a: \u{1F980}x\nb: 2\n");
        let changes =
            [part((0, 5), (0, 6), "y"), part((1, 3), (9, 9), "3"), part((9, 0), (0, 0), "#")];
        documents.change(&uri, 2, &changes[..2]);
        let text = |documents: &Documents| {
            documents.get(&uri).expect("open").file.source().text().to_owned()
        };
        assert_eq!(text(&documents), "a: \u{1F980}y\nb: 3");
        documents.change(&uri, 3, &changes[2..]);
        assert_eq!(text(&documents), "#", "the whole text, its ends swapped");
        let whole = TextDocumentContentChangeWholeDocument { text: "c".to_owned() };
        documents.change(&uri, 4, &[whole.into()]);
        assert_eq!(
            (text(&documents).as_str(), documents.get(&uri).expect("open").version),
            ("c", 4)
        );
        documents.close(&uri);
        documents.change(&uri, 5, &[]);
        assert!(documents.get(&uri).is_none());
    }
}
