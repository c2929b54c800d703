//! The changes of several files, for a terminal or for a pull request.

use std::fmt::Write;

use super::{Change, Effect, PlanPart};
use crate::{visible, words};

/// How changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffFormat {
    /// For the terminal.
    Text,
    /// For a comment on a pull request: never longer than such a comment may be.
    Markdown,
}

/// The change of one file.
#[derive(Debug, Clone)]
pub enum FileChange {
    /// Both versions could be read.
    Changed(Vec<Change>),
    /// The plan is new, with its name and how many suites and steps it has.
    Added(String),
    /// The plan was removed.
    Removed(String),
    /// A version cannot be checked: its diagnostics, rendered.
    Broken(String),
}

/// One file with its change.
#[derive(Debug, Clone)]
pub struct FileDiff {
    /// Its path; for a renamed file both paths.
    pub path: String,
    /// Its change.
    pub change: FileChange,
}

/// The longest Markdown, in bytes: a comment on GitHub holds 65536 characters.
const LONGEST: usize = 60_000;
/// The space of it that is reserved for the note that something is missing.
const NOTE: usize = 200;

/// Renders all files. Files without a change in meaning are left out.
pub fn render_diff(files: &[FileDiff], format: DiffFormat) -> String {
    let files: Vec<FileDiff> = files.iter().cloned().map(FileDiff::shown).collect();
    let files = files.as_slice();
    let mut text = summary(files, format);
    let shown: Vec<&FileDiff> = files.iter().filter(|f| !f.is_empty()).collect();
    for (rendered, file) in shown.iter().enumerate() {
        let part = match format {
            DiffFormat::Text => file.text(),
            DiffFormat::Markdown => file.markdown(),
        };
        if format == DiffFormat::Markdown && text.len() + part.len() > LONGEST - NOTE {
            let room = (LONGEST - NOTE).saturating_sub(text.len());
            text.push_str(whole_lines(&part, room));
            let left = words::count((shown.len() - rendered) as u64, "file");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n*Shortened here: {left} not shown, or not in full.*");
            break;
        }
        text.push_str(&part);
    }
    text
}

/// As many whole lines as fit.
fn whole_lines(text: &str, room: usize) -> &str {
    let room = text.floor_char_boundary(room.min(text.len()));
    let end = text[..room].rfind('\n').map_or(0, |at| at + 1);
    &text[..end]
}

fn summary(files: &[FileDiff], format: DiffFormat) -> String {
    let changes = || files.iter().flat_map(|f| f.changes());
    let count = |effect| changes().filter(|c| c.effect == effect).count();
    let broken = files.iter().filter(|f| matches!(f.change, FileChange::Broken(_))).count();
    let gone = files.iter().filter(|f| matches!(f.change, FileChange::Removed(_))).count();
    let come = files.iter().filter(|f| matches!(f.change, FileChange::Added(_))).count();
    let parts: Vec<String> = [
        (count(Effect::Weaker) + gone, "weaker"),
        (count(Effect::Stronger) + come, "stronger"),
        (count(Effect::Neutral), "neutral"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    let total = changes().count() + gone + come;
    let mut line = match total {
        0 => "No change in meaning".to_owned(),
        n => format!("{} in meaning: {}", words::count(n as u64, "change"), parts.join(", ")),
    };
    if broken > 0 {
        line.push_str(&format!("; {} cannot be compared", words::count(broken as u64, "file")));
    }
    match format {
        DiffFormat::Text => format!("{line}\n"),
        DiffFormat::Markdown => format!("**{line}**\n"),
    }
}

impl FileDiff {
    /// Makes all texts safe to show: the plans may come from strangers.
    fn shown(mut self) -> Self {
        self.path = visible::one_line(&self.path);
        match &mut self.change {
            FileChange::Changed(changes) => {
                let texts = changes.iter_mut().flat_map(|change| {
                    change.cells.iter_mut().chain(&mut change.step).chain([&mut change.text])
                });
                texts.for_each(|text| *text = visible::one_line_within(text, 4_000));
            }
            FileChange::Added(text) | FileChange::Removed(text) => *text = visible::one_line(text),
            FileChange::Broken(text) => *text = visible::visible(text).into_owned(),
        }
        self
    }

    fn changes(&self) -> &[Change] {
        match &self.change {
            FileChange::Changed(changes) => changes,
            _ => &[],
        }
    }

    fn is_empty(&self) -> bool {
        matches!(&self.change, FileChange::Changed(changes) if changes.is_empty())
    }

    fn text(&self) -> String {
        let line = |effect: Effect, what: &str| format!("  {:<8}  {what}\n", effect.word());
        let body = match &self.change {
            FileChange::Added(what) => line(Effect::Stronger, &format!("the plan is new: {what}")),
            FileChange::Removed(what) => {
                line(Effect::Weaker, &format!("the plan was removed: {what}"))
            }
            FileChange::Broken(why) => {
                let why: Vec<String> = why.trim().lines().map(|l| format!("    {l}")).collect();
                format!("  it cannot be compared:\n{}\n", why.join("\n"))
            }
            FileChange::Changed(changes) => grouped(changes)
                .iter()
                .map(|(heading, changes)| {
                    let each =
                        changes.iter().map(|c| line(c.effect, &format!("{}{}", c.text, cells(c))));
                    let each: String = each.map(|l| format!("  {l}")).collect();
                    format!("  {heading}\n{each}")
                })
                .collect(),
        };
        format!("\n{}\n{body}", self.path)
    }

    fn markdown(&self) -> String {
        let line = |effect: Effect, what: &str| format!("- {} {}\n", mark(effect), tagless(what));
        let body = match &self.change {
            FileChange::Added(what) => line(Effect::Stronger, &format!("the plan is new: {what}")),
            FileChange::Removed(what) => {
                line(Effect::Weaker, &format!("the plan was removed: {what}"))
            }
            FileChange::Broken(why) => {
                let why = why.trim().replace("````", "''''");
                format!("It cannot be compared:\n\n````\n{why}\n````\n")
            }
            FileChange::Changed(changes) => grouped(changes)
                .iter()
                .map(|(heading, changes)| {
                    let each =
                        changes.iter().map(|c| line(c.effect, &format!("{}{}", c.text, cells(c))));
                    let each: String = each.map(|l| format!("  {l}")).collect();
                    format!("- {}\n{each}", tagless(heading))
                })
                .collect(),
        };
        format!("\n### `{}`\n\n{body}", self.path.replace('`', "'"))
    }
}

/// The changes of one step, or of one part, below one heading.
fn grouped(changes: &[Change]) -> Vec<(String, Vec<&Change>)> {
    let mut all: Vec<(String, Vec<&Change>)> = Vec::new();
    for change in changes {
        let heading = match (&change.step, change.part) {
            (Some(step), _) => step.clone(),
            (None, PlanPart::Head) => "the plan as a whole".to_owned(),
            (None, PlanPart::Matrix) => "the matrix".to_owned(),
            (None, PlanPart::Always) => "what must hold all the time".to_owned(),
            (None, PlanPart::Steps | PlanPart::Finally) => "the steps".to_owned(),
        };
        match all.last_mut() {
            Some((last, changes)) if *last == heading => changes.push(change),
            _ => all.push((heading, vec![change])),
        }
    }
    all
}

/// ` (only with acks=1)`
fn cells(change: &Change) -> String {
    match change.cells.as_slice() {
        [] => String::new(),
        cells if cells.len() > 4 => format!(" (in {} combinations)", cells.len()),
        cells => format!(" (only with {})", cells.join("; ")),
    }
}

const fn mark(effect: Effect) -> &'static str {
    match effect {
        Effect::Weaker => ":warning: **weaker**",
        Effect::Stronger => ":muscle: stronger",
        Effect::Neutral => "neutral",
    }
}

/// Escapes text so that it contains no HTML tag and no mention of a user (`@name`).
fn tagless(text: &str) -> String {
    // Text inside a code span is not escaped, if the end of the span is certain.
    let paired = text.matches('`').count().is_multiple_of(2);
    let certain = paired && !text.contains("``") && !text.contains(['\\', '\n']);
    let pieces = text.split('`').enumerate().map(|(index, piece)| match index % 2 {
        1 if certain => piece.to_owned(),
        _ => piece.replace('&', "&amp;").replace('<', "&lt;").replace('@', "&#64;"),
    });
    pieces.collect::<Vec<_>>().join("`")
}
