//! Diagnostics as workflow commands: GitHub shows them at the plan's lines.

use kplan_dsl::Severity;

use super::finding::CheckFinding;
use crate::report::{
    github::{data, property},
    text::{bounded, plural},
};

/// Annotations that GitHub shows of one level and step.
const SHOWN: usize = 10;

/// The text: at most ten commands of a level, the rest summed up in a notice.
pub fn render(findings: &[CheckFinding]) -> String {
    let mut text = String::new();
    let mut hidden = Vec::new();
    for severity in [Severity::Error, Severity::Warning] {
        let of_level: Vec<&CheckFinding> =
            findings.iter().filter(|f| f.severity() == severity).collect();
        of_level.iter().take(SHOWN).for_each(|f| text.push_str(&command(f)));
        let rest = of_level.len().saturating_sub(SHOWN);
        if rest > 0 {
            hidden.push(plural(rest as u64, &format!("more {}", severity.word())));
        }
    }
    if !hidden.is_empty() {
        let hidden = hidden.join(", ");
        text.push_str(&format!(
            "::notice title=kplan check::{hidden}: see the whole list with kplan check\n"
        ));
    }
    text
}

fn command(finding: &CheckFinding) -> String {
    let place = &finding.place;
    let (start, end) = (place.start, place.end);
    // GitHub takes columns only where both are on one line.
    let columns = if start.line == end.line {
        format!(",col={},endColumn={}", start.column, end.column)
    } else {
        String::new()
    };
    let lines = format!("line={},endLine={}", start.line, end.line);
    format!(
        "::{} file={},{lines}{columns},title={}::{}\n",
        finding.severity().word(),
        property(&place.file),
        property(&format!("{}: {}", finding.code, finding.code.title())),
        data(&bounded(&finding.sentence(), 4_000))
    )
}
