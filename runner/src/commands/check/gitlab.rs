//! Diagnostics as a Code Quality report, which GitLab shows in merge requests.

use kplan_dsl::Severity;
use serde::Serialize;

use super::finding::CheckFinding;

#[derive(Serialize)]
struct Issue<'f> {
    description: String,
    check_name: &'f str,
    fingerprint: &'f str,
    severity: &'f str,
    location: Location<'f>,
}

#[derive(Serialize)]
struct Location<'f> {
    path: &'f str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

pub fn render(findings: &[CheckFinding]) -> String {
    let issues = findings.iter().map(|f| Issue {
        description: f.sentence(),
        check_name: f.code.text(),
        fingerprint: &f.fingerprint,
        severity: match f.severity() {
            Severity::Error => "major",
            Severity::Warning => "minor",
        },
        location: Location {
            path: &f.place.file,
            lines: Lines { begin: f.place.start.line, end: f.place.end.line },
        },
    });
    super::pretty(&issues.collect::<Vec<_>>())
}
