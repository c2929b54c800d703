//! A file as an editor has it, half typed or whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lenient;
use super::names::{self, NameUse};
use super::spots::{SpotPart, Spots};
use crate::document::Node;
use crate::source::{Source, Span};

/// A plan or fragment in an editor.
#[derive(Debug)]
pub struct EditorFile {
    source: Source,
    root: Option<Node>,
    names: Vec<NameUse>,
    includes: Vec<(String, Span)>,
}

impl EditorFile {
    /// Reads a text as far as possible.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        let source = Source::new(path, text);
        let root = lenient::document(source.text());
        let (mut all, mut includes) = (Vec::new(), Vec::new());
        if let Some(root) = &root {
            let spots = Spots::of(root);
            all = names::of(&spots, &source);
            let files = spots.iter().filter(|spot| spot.verb == Some("include"));
            includes.extend(files.filter_map(|spot| match spot.part {
                SpotPart::Scalar(scalar) if matches!(spot.key, "include" | "file") => {
                    Some((scalar.text.clone(), spot.span))
                }
                _ => None,
            }));
        }
        Self { source, root, names: all, includes }
    }

    /// Its text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The names in it.
    pub fn names(&self) -> &[NameUse] {
        &self.names
    }

    /// The files that it includes.
    pub fn includes(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let directory = self.path().parent().unwrap_or(Path::new(""));
        self.includes.iter().map(|(file, _)| directory.join(file))
    }

    /// The included file whose name is at a byte.
    pub fn include_at(&self, byte: u32) -> Option<PathBuf> {
        let directory = self.path().parent().unwrap_or(Path::new(""));
        let at = |span: &Span| span.start <= byte && byte <= span.end;
        let found = self.includes.iter().find(|(_, span)| at(span));
        found.map(|(file, _)| directory.join(file))
    }

    /// True for a file that plans include.
    pub fn is_fragment(&self) -> bool {
        self.root().is_some_and(|root| root.get("fragment").is_some())
    }

    /// The document, as far as the text is one.
    pub(crate) fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// The name at a byte.
    pub(crate) fn name_at(&self, byte: u32) -> Option<&NameUse> {
        self.names.iter().find(|name| name.span.start <= byte && byte <= name.span.end)
    }
}

/// True if a text looks like a plan or a fragment: it has the key that begins one, with a version of the language, or
/// with none yet and steps.
pub fn looks_like_plan(text: &str) -> bool {
    let begins = text
        .lines()
        .find_map(|line| line.strip_prefix("plan:").or_else(|| line.strip_prefix("fragment:")));
    let Some(version) = begins.map(str::trim) else { return false };
    let numbered =
        version.strip_prefix('v').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    numbered || text.lines().any(|line| line.starts_with("steps:"))
}
