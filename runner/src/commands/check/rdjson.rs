//! Diagnostics in reviewdog's form; its columns count bytes.

use kplan_dsl::Severity;
use serde_json::{Value, json};

use super::finding::{CheckFinding, SourcePlace};

pub fn render(findings: &[CheckFinding]) -> String {
    let diagnostics: Vec<Value> = findings.iter().map(diagnostic).collect();
    super::pretty(&json!({ "source": { "name": "kplan" }, "diagnostics": diagnostics }))
}

fn diagnostic(finding: &CheckFinding) -> Value {
    let severity = match finding.severity() {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|(place, words)| json!({ "message": words, "location": location(place) }))
        .collect();
    let mut entry = json!({
        "message": finding.sentence(),
        "location": location(&finding.place),
        "severity": severity,
        "code": { "value": finding.code.text() },
    });
    if !related.is_empty() {
        entry["related_locations"] = related.into();
    }
    entry
}

fn location(place: &SourcePlace) -> Value {
    let range = json!({
        "start": { "line": place.start.line, "column": place.bytes.0 },
        "end": { "line": place.end.line, "column": place.bytes.1 },
    });
    json!({ "path": place.file, "range": range })
}
