//! One diagnostic in the form that all machine-readable formats use.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

use kplan_dsl::{Code, Diagnostic, Position, Severity, Source, Sources, Span};
use sha2::{Digest as _, Sha256};

use super::Checked;
use crate::{
    out::Shown as _,
    report::text::{clean, one_line},
};

/// A span of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePlace {
    /// The file: relative to the working directory if it is below it, with `/`.
    pub file: String,
    /// Line and character of the first one.
    pub start: Position,
    /// Line and character behind the last one.
    pub end: Position,
    /// The bytes from the line's beginning, from 1, of start and end.
    pub bytes: (u32, u32),
}

/// Something that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    /// The kind of mistake.
    pub code: Code,
    pub message: String,
    /// How to correct it.
    pub help: Option<String>,
    pub place: SourcePlace,
    /// Other places that matter, with a few words.
    pub related: Vec<(SourcePlace, String)>,
    /// Identifies this finding among all others, and stays the same while only lines around it change.
    pub fingerprint: String,
}

impl CheckFinding {
    /// Its severity.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// What is wrong and how to correct it, in one text.
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Everything that is wrong, in the order of the files.
pub fn findings(checked: &[Checked]) -> Vec<CheckFinding> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut all: Vec<CheckFinding> = Vec::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    for one in checked {
        let teller = Teller { checked: one, here: &here };
        for diagnostic in &one.diagnostics {
            let (mut finding, line) = teller.finding(diagnostic);
            let identity =
                [&finding.place.file, finding.code.text(), &finding.message, &line].join("\0");
            let count = seen.entry(identity.clone()).or_default();
            finding.fingerprint = fingerprint(&identity, *count);
            *count += 1;
            all.push(finding);
        }
    }
    all
}

/// The fingerprint of a mistake: the same mistake a second time in one file has another one.
fn fingerprint(identity: &str, nth: u32) -> String {
    let digest = Sha256::digest(format!("{identity}\0{nth}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

struct Teller<'c> {
    checked: &'c Checked,
    here: &'c Path,
}

impl Teller<'_> {
    /// The finding, and the text of its line.
    fn finding(&self, diagnostic: &Diagnostic) -> (CheckFinding, String) {
        let sources = &self.checked.sources;
        let source = sources.get(diagnostic.span.file);
        let line =
            source.map(|s| s.lines(s.line(diagnostic.span.start), s.line(diagnostic.span.start)));
        let line = line.unwrap_or_default().trim().to_owned();
        let mut message = one_line(&diagnostic.message, 2_000);
        let place = match source.filter(|s| !self.checked.is_note(s.path())) {
            Some(source) => self.place(source, diagnostic.span),
            None => {
                // A mistake on the command line has no place in a file: it is reported at the plan.
                if let Some(source) = source {
                    message = format!("{}: {message}", source.path().shown());
                }
                self.beginning()
            }
        };
        let finding = CheckFinding {
            code: diagnostic.code,
            message,
            help: diagnostic.help.as_deref().map(clean),
            place,
            related: self.related(diagnostic, sources),
            fingerprint: String::new(),
        };
        (finding, line)
    }

    fn related(&self, diagnostic: &Diagnostic, sources: &Sources) -> Vec<(SourcePlace, String)> {
        let places = diagnostic.related.iter().filter_map(|(span, words)| {
            let source = sources.get(span.file).filter(|s| !self.checked.is_note(s.path()))?;
            Some((self.place(source, *span), one_line(words, 2_000)))
        });
        places.collect()
    }

    fn beginning(&self) -> SourcePlace {
        let first = Position { line: 1, column: 1 };
        SourcePlace {
            file: self.shown(&self.checked.path),
            start: first,
            end: first,
            bytes: (1, 1),
        }
    }

    fn place(&self, source: &Source, span: Span) -> SourcePlace {
        let (start, end) = (source.position(span.start), source.position(span.end.max(span.start)));
        let bytes = (byte_column(source, start), byte_column(source, end));
        SourcePlace { file: self.shown(source.path()), start, end, bytes }
    }

    /// The path for other programs: relative to the working directory, without dots.
    fn shown(&self, path: &Path) -> String {
        let mut clean = PathBuf::new();
        for part in path.strip_prefix(self.here).unwrap_or(path).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir
                    if matches!(clean.components().next_back(), Some(Component::Normal(_))) =>
                {
                    clean.pop();
                }
                part => clean.push(part),
            }
        }
        clean.to_string_lossy().into_owned()
    }
}

fn byte_column(source: &Source, at: Position) -> u32 {
    let line = source.lines(at.line, at.line);
    let bytes: usize = line.chars().take(at.column as usize - 1).map(char::len_utf8).sum();
    u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(1)
}
