//! The explanation for a terminal.

use std::fmt::Write;

use super::minutes::{Line, Minutes};
use super::timeline::Timeline;
use crate::facts::LaneMark;

/// The greatest width of the text.
const WIDTH: usize = 96;

/// The whole text.
pub(super) fn render(it: &Minutes) -> String {
    let mut text = format!("{}\n{}\n\n", it.name, "=".repeat(it.name.chars().count().min(WIDTH)));
    for paragraph in it.description.iter().flat_map(|d| d.split("\n\n")) {
        wrapped(&mut text, "", paragraph);
    }
    if it.description.is_some() {
        text.push('\n');
    }
    facts(&mut text, it);
    numbered(&mut text, "Steps", &it.steps);
    section(&mut text, "What must hold at the end", &it.end);
    section(&mut text, "What must hold all the time", &it.always);
    numbered(&mut text, "Steps that run at the end, whatever happened before", &it.finally);
    for other in &it.others {
        section(&mut text, &format!("What differs with {}", other.label), &other.differs);
        if other.differs.is_empty() {
            let _ = writeln!(text, "With {} the steps are the same.\n", other.label);
        }
    }
    timeline(&mut text, &it.timeline);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn facts(text: &mut String, it: &Minutes) {
    let mut fact = |what: &str, value: &str| {
        if !value.is_empty() {
            wrapped(text, &format!("{:<12}", format!("{what}:")), value);
        }
    };
    fact("Plan", &it.path);
    fact("Tags", &it.tags.join(", "));
    for (index, param) in it.params.iter().enumerate() {
        let why =
            param.description.as_ref().map(|d| format!(" ({})", d.trim())).unwrap_or_default();
        let what = if index == 0 { "Parameters" } else { "" };
        let value = format!("{} = {}{why}", param.name, param.shown());
        match what {
            "" => wrapped(text, &" ".repeat(12), &value),
            what => wrapped(text, &format!("{what}: "), &value),
        }
    }
    let mut fact =
        |what: &str, value: &str| wrapped(text, &format!("{:<12}", format!("{what}:")), value);
    if let Some(cell) = &it.cell {
        fact("Shown for", cell);
        for other in &it.others {
            fact("Also with", &other.label);
        }
    }
    for cluster in &it.clusters {
        fact("Cluster", cluster);
    }
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
    let _ = writeln!(text, "{title}\n");
    points.iter().for_each(|point| wrapped(text, "  - ", point));
    text.push('\n');
}

fn numbered(text: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{title}\n");
    let width = lines.iter().filter(|l| l.depth == 0).map(|l| l.id.len()).max().unwrap_or(0);
    for line in lines {
        let number = match line.id.as_str() {
            "" => String::new(),
            id => format!("{id:>width$}. "),
        };
        let indent = format!("{:1$}{number}", "", 2 + 4 * line.depth);
        let name = line.name.as_ref().map(|n| format!("[{n}] ")).unwrap_or_default();
        wrapped(text, &indent, &format!("{name}{}", line.text));
        let below = format!("{:1$}- ", "", indent.chars().count());
        line.points.iter().for_each(|point| wrapped(text, &below, point));
    }
    text.push('\n');
}

/// Writes words after a prefix, with further lines indented below the first.
fn wrapped(text: &mut String, start: &str, words: &str) {
    let indent = start.chars().count();
    let mut line = start.to_owned();
    let mut used = indent;
    let mut empty = true;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if !empty && used + 1 + length > WIDTH {
            text.push_str(&line);
            text.push('\n');
            (line, used, empty) = (" ".repeat(indent), indent, true);
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn timeline(text: &mut String, it: &Timeline) {
    if it.is_empty() {
        return;
    }
    text.push_str("States of brokers and clients, step by step\n\n");
    let names = it.lanes.iter().map(|lane| lane.name.chars().count()).max().unwrap_or(0) + 1;
    let column = it.steps.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(1) + 1;
    let fit = ((WIDTH.saturating_sub(names + 2)) / column).max(1);
    for from in (0..it.steps.len()).step_by(fit) {
        let to = (from + fit).min(it.steps.len());
        let ids: String =
            it.steps[from..to].iter().map(|(id, _)| format!("{id:>column$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:names$}{ids}", "");
        for lane in &it.lanes {
            let states: String = lane.states[from..to].iter().map(|s| cell(*s, column)).collect();
            let _ = writeln!(text, "  {:names$}{}", lane.name, states.trim_end());
        }
        text.push('\n');
    }
    let used = |state: &LaneMark| it.lanes.iter().any(|lane| lane.states.contains(state));
    let legend = LaneMark::ALL.iter().filter(|s| **s != LaneMark::Absent && used(s));
    let legend: Vec<String> = legend.map(|s| format!("{} {}", s.sign(), s.word())).collect();
    wrapped(text, "  ", &legend.join(", "));
    if it.cut {
        let _ = writeln!(text, "  (the first {} steps)", it.steps.len());
    }
}

/// A state at the right of its column. `running` fills the column with a line.
fn cell(state: LaneMark, width: usize) -> String {
    let filler = if state == LaneMark::Running { "─" } else { " " };
    format!("{}{}", filler.repeat(width - 1), state.sign())
}
