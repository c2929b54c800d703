//! The manual of diagnostics as a file, to which their codes link.

use std::path::PathBuf;

use gen_lsp_types::Uri;
use kplan_dsl::{Code, WordKind, chapter};

use super::address::uri_of;

/// The chapter about diagnostics, in a directory that ends with the server.
#[derive(Debug)]
pub struct ManualFile {
    directory: Option<tempfile::TempDir>,
    text: String,
}

impl ManualFile {
    /// Writes the file. Without a place for it codes have no links.
    pub fn write() -> Self {
        let text = chapter(WordKind::Code);
        let directory = tempfile::Builder::new().prefix("kplan-lsp-").tempdir().ok();
        let directory = directory.filter(|d| std::fs::write(d.path().join(NAME), &text).is_ok());
        Self { directory, text }
    }

    /// The address of the page of a code.
    pub fn link(&self, code: Code) -> Option<Uri> {
        let path: PathBuf = self.directory.as_ref()?.path().join(NAME);
        let heading = format!("## {code}:");
        let line = self.text.lines().position(|line| line.starts_with(&heading))? + 1;
        Some(Uri(format!("{}#L{line}", uri_of(&path).0)))
    }
}

const NAME: &str = "diagnostics.md";
