//! The explanation for a pull request or a wiki page.

use std::fmt::Write;

use super::minutes::{Line, Minutes};
use super::timeline::Timeline;
use crate::facts::LaneMark;

/// The whole text.
pub(super) fn render(it: &Minutes) -> String {
    let mut text = format!("# {}\n\n", escaped(&it.name));
    if let Some(description) = &it.description {
        // It is Markdown, but must not contain HTML: it may come from a stranger.
        let _ = writeln!(text, "{}\n", escaped(description));
    }
    facts(&mut text, it);
    numbered(&mut text, "Steps", &it.steps);
    section(&mut text, "What must hold at the end", &it.end);
    section(&mut text, "What must hold all the time", &it.always);
    numbered(&mut text, "Steps that run at the end, whatever happened before", &it.finally);
    for other in &it.others {
        section(&mut text, &format!("What differs with {}", other.label), &other.differs);
        if other.differs.is_empty() {
            let _ = writeln!(text, "With {} the steps are the same.\n", escaped(&other.label));
        }
    }
    timeline(&mut text, &it.timeline);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Escapes text so that it contains no HTML tag and no mention of a user (`@name`).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('@', "&#64;")
}

/// A code span that is not ended by a backtick in the text.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// Escapes text for a cell of a table.
fn in_cell(text: &str) -> String {
    escaped(text).replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn facts(text: &mut String, it: &Minutes) {
    // Writing to a String cannot fail.
    let mut fact = |what: &str, value: &str| {
        let _ = writeln!(text, "| {what} | {} |", in_cell(value));
    };
    fact("", "");
    fact("---", "---");
    fact("Plan", &code(&it.path));
    if !it.tags.is_empty() {
        fact("Tags", &it.tags.join(", "));
    }
    for param in &it.params {
        let why =
            param.description.as_ref().map(|d| format!(" ({})", d.trim())).unwrap_or_default();
        fact("Parameter", &format!("`{}` = {}{why}", param.name, code(param.shown())));
    }
    if let Some(cell) = &it.cell {
        fact("Shown for", cell);
        it.others.iter().for_each(|other| fact("Also with", &other.label));
    }
    it.clusters.iter().for_each(|cluster| fact("Cluster", cluster));
    it.clients.iter().for_each(|client| fact("Client", client));
    it.external.iter().for_each(|external| fact("External", external));
    fact("Time limit", &format!("{} for all steps together", it.timeout));
    text.push('\n');
}

fn section(text: &mut String, title: &str, points: &[String]) {
    if points.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "## {}\n", escaped(title));
    for point in points {
        let _ = writeln!(text, "- {}", escaped(point));
    }
    text.push('\n');
}

fn numbered(text: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "## {title}\n");
    for line in lines {
        let indent = " ".repeat(4 * line.depth);
        let name = line.name.as_ref().map(|n| format!("*{}*: ", escaped(n))).unwrap_or_default();
        let said = format!("{name}{}", escaped(&line.text));
        // A number of one level is a Markdown list number. Any other number is written as text.
        let _ = match line.id.as_str() {
            "" => writeln!(text, "{indent}- {said}"),
            id if id.parse::<u32>().is_ok() => writeln!(text, "{indent}{id}. {said}"),
            id => writeln!(text, "{indent}- **{id}** {said}"),
        };
        for point in &line.points {
            let _ = writeln!(text, "{indent}    - {}", escaped(point));
        }
    }
    text.push('\n');
}

/// The greatest number of columns of a table that is readable.
const MOST_COLUMNS: usize = 20;

fn timeline(text: &mut String, it: &Timeline) {
    if it.is_empty() {
        return;
    }
    text.push_str("## States of brokers and clients, step by step\n\n");
    for from in (0..it.steps.len()).step_by(MOST_COLUMNS) {
        let to = (from + MOST_COLUMNS).min(it.steps.len());
        let ids: Vec<&str> = it.steps[from..to].iter().map(|(id, _)| id.as_str()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| | {} |\n|---|{}", ids.join(" | "), ":-:|".repeat(ids.len()));
        for lane in &it.lanes {
            let states: Vec<&str> = lane.states[from..to].iter().map(|s| shown(*s)).collect();
            let _ = writeln!(text, "| {} | {} |", in_cell(&lane.name), states.join(" | "));
        }
        text.push('\n');
    }
    if it.cut {
        let _ = writeln!(text, "The first {} steps.", it.steps.len());
    }
}

const fn shown(state: LaneMark) -> &'static str {
    match state {
        LaneMark::Absent => "",
        LaneMark::Running => "runs",
        LaneMark::Killed => "**killed**",
        LaneMark::NoPower => "**no power**",
        LaneMark::Stopped => "stopped",
        LaneMark::Paused => "**paused**",
        LaneMark::Isolated => "**cut off**",
        LaneMark::Degraded => "**slow**",
        LaneMark::DiskFull => "**disk full**",
        LaneMark::Damaged => "**damaged**",
        LaneMark::DiskErrors => "**disk errors**",
        LaneMark::SlowDisk => "**slow disk**",
        LaneMark::WrongClock => "**wrong clock**",
        LaneMark::Disturbed => "**disturbed requests**",
        LaneMark::Throttled => "**throttled**",
        LaneMark::Restarting => "**restarts**",
        LaneMark::Chaos => "**chaos**",
    }
}
