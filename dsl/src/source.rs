//! Source files and places in them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The number of a file among the [`Sources`] of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// A range of one file, in bytes from its start. `end` is behind the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// The byte behind the last one.
    pub end: u32,
}

impl Span {
    /// The bytes as a range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The part `from..to` of this span, in bytes from its start, limited to the span.
    pub fn part(self, from: usize, to: usize) -> Self {
        let at = |n: usize| {
            self.start.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)).min(self.end)
        };
        Self { file: self.file, start: at(from), end: at(to).max(at(from)) }
    }

    /// From the start of this span to the end of `other`.
    pub fn to(self, other: Self) -> Self {
        Self { file: self.file, start: self.start, end: other.end.max(self.start) }
    }
}

/// A value with its place in the source.
///
/// Two such values are equal if the values are equal: the place is not part of the meaning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The place; for a default, the start of the file.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: std::fmt::Display> std::fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

/// A place for people: line and column, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Character in the line, from 1.
    pub column: u32,
}

/// One file that was read.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    text: Arc<str>,
    line_starts: Vec<u32>,
    /// The number of characters before each block of `STRETCH` bytes, so that computing a column takes the same
    /// time in a line of any length.
    characters: Vec<u32>,
}

/// The size of a block of which the characters are counted in advance.
const STRETCH: usize = 1024;

/// The number of characters that begin in some bytes of a text.
fn starts_in(bytes: &[u8]) -> u32 {
    let starts = bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
    u32::try_from(starts).unwrap_or(u32::MAX)
}

impl Source {
    /// Makes a source from a file's text. `path` is shown to people.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = breaks.map(|(i, _)| u32::try_from(i + 1).unwrap_or(u32::MAX));
        let line_starts = std::iter::once(0).chain(starts).collect();
        let counted = text.as_bytes().chunks(STRETCH).scan(0_u32, |before, stretch| {
            let here = *before;
            *before = before.saturating_add(starts_in(stretch));
            Some(here)
        });
        let characters = counted.collect();
        Self { path: path.into(), text, line_starts, characters }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line (from 1) that holds a byte.
    pub fn line(&self, byte: u32) -> u32 {
        u32::try_from(self.line_starts.partition_point(|start| *start <= byte)).unwrap_or(u32::MAX)
    }

    /// Line and column of a byte. A byte behind the end is the end.
    pub fn position(&self, byte: u32) -> Position {
        let line = self.line(byte);
        let start = self.line_starts.get(line as usize - 1).copied().unwrap_or(0) as usize;
        let mut end = (byte as usize).clamp(start, self.text.len().max(start));
        while end > start && !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let column = self.characters_before(end).saturating_sub(self.characters_before(start));
        Position { line, column: column.saturating_add(1) }
    }

    /// The characters of the text that begin before a byte.
    fn characters_before(&self, byte: usize) -> u32 {
        let stretch = (byte / STRETCH).min(self.characters.len().saturating_sub(1));
        let counted = self.characters.get(stretch).copied().unwrap_or(0);
        let rest = self.text.as_bytes().get(stretch * STRETCH..byte.min(self.text.len()));
        counted.saturating_add(starts_in(rest.unwrap_or_default()))
    }

    /// The text of lines `first..=last` (from 1), without the last line's break.
    pub fn lines(&self, first: u32, last: u32) -> &str {
        let at = |line: u32| {
            self.line_starts.get(line as usize).map_or(self.text.len(), |s| *s as usize)
        };
        let (start, end) = (at(first.saturating_sub(1)), at(last));
        self.text.get(start..end.max(start)).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// The place of a part of a scalar's text: exact when the scalar stands in the source as it is.
    pub(crate) fn inside(&self, span: Span, text: &str, range: Range<usize>) -> Span {
        let part = text.get(range.clone()).unwrap_or("");
        let written = self.slice(span);
        let found = match written.find(text) {
            Some(offset) => Some((offset + range.start, offset + range.end)),
            None => written.find(part).map(|at| (at, at + part.len())),
        };
        match found {
            Some((from, to)) if to > from => span.part(from, to),
            _ => span,
        }
    }

    /// The line (from 0) of a byte, and the UTF-16 units before it in that line: the form in which editors count.
    pub fn utf16(&self, byte: u32) -> (u32, u32) {
        let line = self.line(byte);
        let start = self.line_starts.get(line as usize - 1).copied().unwrap_or(0) as usize;
        let end = self.text.floor_char_boundary((byte as usize).min(self.text.len()));
        let before = self.text.get(start..end).unwrap_or("");
        let units = before.trim_end_matches(['\n', '\r']).encode_utf16().count();
        (line - 1, u32::try_from(units).unwrap_or(u32::MAX))
    }

    /// The byte of a line (from 0) and a number of UTF-16 units. A place behind a line's end is its end.
    pub fn byte_of_utf16(&self, line: u32, units: u32) -> u32 {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let Some(start) = self.line_starts.get(line as usize).copied() else { return end };
        let text = self.lines(line.saturating_add(1), line.saturating_add(1));
        let (mut bytes, mut left) = (0, units as usize);
        for c in text.chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            bytes += c.len_utf8();
        }
        start.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX)).min(end)
    }

    /// The text of a span, empty when the span is not of this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }
}

/// All files of one check, in the order they were read.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, source: Source) -> FileId {
        self.0.push(source);
        FileId(u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX))
    }

    /// One file.
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.0.get(file.0 as usize)
    }

    /// All files with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0..).map(FileId).zip(&self.0)
    }

    /// First and last position of a span.
    pub fn positions(&self, span: Span) -> Option<(Position, Position)> {
        let source = self.get(span.file)?;
        Some((source.position(span.start), source.position(span.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new("p.yaml", "a: 1\nnäme: ö x\n");
        let byte = u32::try_from(source.text().find('x').expect("there is an x")).expect("small");
        assert_eq!(source.position(byte), Position { line: 2, column: 9 });
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(9_999).line, 3);
        assert_eq!(source.lines(1, 2), "a: 1\nnäme: ö x");
        assert_eq!(source.lines(2, 2), "näme: ö x");
    }

    #[test]
    fn columns_of_long_lines_count_every_character() {
        let line = "äx\u{1F980}".repeat(2_000);
        let source = Source::new("p", format!("{line}\n{line}"));
        for (at, (byte, _)) in line.char_indices().enumerate() {
            let column = u32::try_from(at + 1).expect("small");
            let of = |byte: usize| source.position(u32::try_from(byte).expect("small"));
            assert_eq!(of(byte), Position { line: 1, column });
            assert_eq!(of(line.len() + 1 + byte), Position { line: 2, column });
        }
    }

    #[test]
    fn editors_count_in_units_of_utf_16() {
        let source = Source::new("p", "ab\r\nä\u{1F980}x\n");
        let x = u32::try_from(source.text().find('x').expect("an x")).expect("small");
        assert_eq!(source.utf16(x), (1, 3));
        assert_eq!(source.byte_of_utf16(1, 3), x);
        assert_eq!(source.byte_of_utf16(1, 2), x - 4, "inside the pair is its start");
        assert_eq!((source.byte_of_utf16(0, 99), source.byte_of_utf16(99, 0)), (2, x + 2));
        assert_eq!(source.utf16(4), (1, 0));
    }

    #[test]
    fn a_place_inside_a_character_is_that_character() {
        let source = Source::new("p", "öx");
        assert_eq!(source.position(1), Position { line: 1, column: 1 });
    }

    #[test]
    fn the_place_is_no_part_of_the_meaning() {
        let at = |start| Spanned::new(1, Span { file: FileId(0), start, end: start + 1 });
        assert_eq!(at(0), at(7));
    }
}
