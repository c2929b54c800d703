//! Corrections of what the checker reports.

use super::file::EditorFile;
use super::names::NameKind;
use super::spots::{PlanSpot, SpotPart, Spots};
use crate::diagnostic::{Diagnostic, Fix, Severity};
use crate::document::Node;
use crate::forms::Forms;
use crate::source::Span;

/// A correction of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditorFix {
    /// What it does.
    pub title: String,
    /// The place of the text that is replaced; empty to insert.
    pub span: Span,
    /// The new text.
    pub text: String,
    /// True if it is probably what is meant.
    pub preferred: bool,
}

/// The corrections of a mistake in a file.
pub fn fixes(file: &EditorFile, wrong: &Diagnostic) -> Vec<EditorFix> {
    let mut all = Vec::new();
    match wrong.fix.as_deref() {
        Some(Fix::Replace { wrong: word, right }) => all.extend(replaced(file, wrong, word, right)),
        Some(Fix::AddKey(key)) => all.extend(added(file, wrong.span, key)),
        None => {}
    }
    if wrong.severity() == Severity::Warning {
        all.extend(allowed(file, wrong));
    }
    all
}

fn replaced(file: &EditorFile, at: &Diagnostic, wrong: &str, right: &str) -> Option<EditorFix> {
    let found = file.source().slice(at.span).find(wrong)?;
    Some(EditorFix {
        title: format!("Replace `{wrong}` by `{right}`"),
        span: at.span.part(found, found + wrong.len()),
        text: right.to_owned(),
        preferred: true,
    })
}

/// Adds a key to the map whose word is marked, or to the marked map.
fn added(file: &EditorFile, at: Span, key: &str) -> Option<EditorFix> {
    let spots = Spots::of(file.root()?);
    let same = |spot: &&PlanSpot<'_>| spot.span.start == at.start && spot.span.end == at.end;
    // A map with one key and no value has the place of its key.
    let is_key = |spot: &&PlanSpot<'_>| matches!(spot.part, SpotPart::Key(..));
    let spot = spots.iter().filter(same).find(is_key).or_else(|| spots.iter().find(same))?;
    let value = spot.forms.key(key).unwrap_or_default();
    let entry = format!("{key}: {}", placeholder(file, key, &value));
    let text = file.source().text();
    let (at, text) = match spot.part {
        SpotPart::Key(_, value) if value.span == spot.span => {
            let colon = text[spot.span.end as usize..].starts_with(':');
            (
                spot.span.end + u32::from(colon),
                if colon { "" } else { ":" }.to_owned() + " { " + &entry + " }",
            )
        }
        SpotPart::Scalar(_) => (spot.span.end, format!(": {{ {entry} }}")),
        SpotPart::Key(_, node) | SpotPart::Holder(node) => in_map(file, node, &entry)?,
    };
    let span = Span { start: at, end: at, ..spot.span };
    Some(EditorFix { title: format!("Add `{key}`"), span, text, preferred: false })
}

/// Where an entry is added to a map, and as which text.
fn in_map(file: &EditorFile, node: &Node, entry: &str) -> Option<(u32, String)> {
    let entries = node.map()?;
    let source = file.source();
    let Some(last) = entries.last() else {
        return Some((node.span.start + 1, format!(" {entry} ")));
    };
    let end = last.value.span.end.max(last.key.span.end);
    if source.slice(node.span).starts_with('{') {
        return Some((end, format!(", {entry}")));
    }
    let first = entries.first()?.key.span.start;
    let indent = source.position(first).column.saturating_sub(1) as usize;
    // A value that was not written ends behind its colon.
    let rest = &source.text()[end as usize..];
    let colon = u32::from(last.value.span == last.key.span && rest.starts_with(':'));
    Some((end + colon, format!("\n{}{entry}", " ".repeat(indent))))
}

/// A value to begin with: a name that the plan has, a word of the declaration, or the key in capitals.
fn placeholder(file: &EditorFile, key: &str, value: &Forms) -> String {
    let kind = match value.names() {
        Some("topic" | "partition") => Some(NameKind::Topic),
        Some("member") => Some(NameKind::Client),
        Some("group") => Some(NameKind::Group),
        Some("step") => Some(NameKind::Step),
        _ => None,
    };
    let made = |kind| file.names().iter().find(move |n| n.kind == kind && n.defines);
    let known = kind.and_then(made).filter(|_| key != "name").map(|name| name.name.clone());
    let numbered = |name: String| match value.names() {
        Some("partition") => format!("{name}/0"),
        _ => name,
    };
    let word = || value.words().first().map(|(word, _)| (*word).to_owned());
    known.map(numbered).or_else(word).unwrap_or_else(|| key.to_uppercase())
}

/// Allows a warning: a comment above its step, or on its line if it is in none.
fn allowed(file: &EditorFile, wrong: &Diagnostic) -> Option<EditorFix> {
    let (source, code) = (file.source(), wrong.code);
    let title = format!("Allow {code} here");
    let made = |span, text| Some(EditorFix { title, span, text, preferred: false });
    let line_end = |line: u32| {
        let start = line_start(file, line);
        start + u32::try_from(source.lines(line, line).len()).unwrap_or(0)
    };
    let point = |at: u32| Span { start: at, end: at, ..wrong.span };
    let line = step_line(file, wrong.span.start)
        .filter(|line| source.lines(*line, *line).trim_start().starts_with("- "));
    let Some(line) = line else {
        let line = source.line(wrong.span.start);
        let more = source.lines(line, line).contains(ALLOW);
        let text = if more { format!(", {code}") } else { format!(" {ALLOW}{code}") };
        return made(point(line_end(line)), text);
    };
    let above = line.saturating_sub(1);
    let is_mark = |line: u32| source.lines(line, line).trim_start().starts_with(ALLOW);
    if above > 0 && is_mark(above) {
        return made(point(line_end(above)), format!(", {code}"));
    }
    let text = source.lines(line, line);
    let indent = &text[..text.len() - text.trim_start().len()];
    made(point(line_start(file, line)), format!("{indent}{ALLOW}{code}\n"))
}

/// The beginning of a comment that allows warnings.
const ALLOW: &str = "# kplan: allow ";

fn line_start(file: &EditorFile, line: u32) -> u32 {
    file.source().byte_of_utf16(line - 1, 0)
}

/// The line of the innermost step at a byte.
fn step_line(file: &EditorFile, byte: u32) -> Option<u32> {
    let spots = Spots::of(file.root()?);
    let holds = |spot: &&PlanSpot<'_>| {
        let part = !matches!(spot.part, SpotPart::Key(..));
        part && spot.forms.is_step() && spot.span.start <= byte && byte <= spot.span.end
    };
    let innermost = spots.iter().rfind(holds);
    innermost.map(|spot| file.source().line(spot.span.start))
}
