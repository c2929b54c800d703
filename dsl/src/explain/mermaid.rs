//! The timeline as a Mermaid Gantt chart: a step is a unit of time.

use std::fmt::Write;

use super::minutes::Minutes;
use crate::facts::LaneMark;

/// The diagram.
pub(super) fn render(it: &Minutes) -> String {
    let mut text = format!(
        "gantt\n    title {}\n    dateFormat X\n    axisFormat %s\n    tickInterval 1second\n",
        plain(&it.name)
    );
    // Writing to a String cannot fail. Steps are numbered from 1, and so is the axis.
    let _ = writeln!(text, "    section steps");
    for (index, (id, title)) in it.timeline.steps.iter().enumerate() {
        let _ = writeln!(text, "    {} {} :{}, {}", plain(id), plain(title), index + 1, index + 2);
    }
    for lane in &it.timeline.lanes {
        let _ = writeln!(text, "    section {}", plain(&lane.name));
        for (state, from, to) in lane.stretches() {
            let mark = match state {
                LaneMark::Absent => continue,
                LaneMark::Running => "active, ",
                LaneMark::Stopped => "done, ",
                _ if state.is_fault() => "crit, ",
                _ => "",
            };
            let _ = writeln!(text, "    {} :{mark}{}, {}", state.word(), from + 1, to + 1);
        }
    }
    text
}

/// The longest text of one bar.
const LONGEST: usize = 60;

/// Text without characters that have a meaning in Mermaid.
fn plain(text: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_alphanumeric() || " .-_/=()+*".contains(c) => c,
        _ => ' ',
    };
    let words: Vec<String> =
        text.split_whitespace().map(|w| w.chars().map(letter).collect()).collect();
    let all = words.join(" ");
    let all = all.split_whitespace().collect::<Vec<_>>().join(" ");
    if all.chars().count() <= LONGEST {
        return all;
    }
    let cut: String = all.chars().take(LONGEST - 3).collect();
    format!("{}...", cut.trim_end())
}
