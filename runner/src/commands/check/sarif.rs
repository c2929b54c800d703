//! Diagnostics as SARIF 2.1.0, for code scanning.

use std::path::Path;

use kplan_dsl::{Code, Severity, manual};
use serde_json::{Value, json};

use super::finding::{CheckFinding, SourcePlace};

pub fn render(findings: &[CheckFinding]) -> String {
    let mut codes: Vec<Code> = findings.iter().map(|f| f.code).collect();
    codes.sort();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = findings.iter().map(|f| result(f, &codes)).collect();
    super::pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kplan",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

/// A code with its manual page.
fn rule(code: Code) -> Value {
    let level = level(code.severity());
    let full = code.page().split_whitespace().collect::<Vec<_>>().join(" ");
    json!({
        "id": code.text(),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": full },
        "help": { "text": full, "markdown": manual(code.text()).unwrap_or_default() },
        "defaultConfiguration": { "level": level },
    })
}

fn result(finding: &CheckFinding, codes: &[Code]) -> Value {
    let mut entry = json!({
        "ruleId": finding.code.text(),
        "ruleIndex": codes.iter().position(|c| *c == finding.code),
        "level": level(finding.severity()),
        "message": { "text": finding.sentence() },
        "locations": [{ "physicalLocation": physical(&finding.place) }],
        "partialFingerprints": { "primaryLocationLineHash": finding.fingerprint },
    });
    if !finding.related.is_empty() {
        let related = (1..).zip(&finding.related).map(|(id, (place, words))| {
            json!({ "id": id, "physicalLocation": physical(place), "message": { "text": words } })
        });
        entry["relatedLocations"] = related.collect();
    }
    entry
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn physical(place: &SourcePlace) -> Value {
    let region = json!({
        "startLine": place.start.line,
        "startColumn": place.start.column,
        "endLine": place.end.line,
        "endColumn": place.end.column,
    });
    json!({ "artifactLocation": artifact(&place.file), "region": region })
}

/// A relative address below the root of the sources, or a whole one.
fn artifact(file: &str) -> Value {
    if Path::new(file).is_absolute() {
        json!({ "uri": format!("file://{}", encoded(file)) })
    } else {
        json!({ "uri": encoded(file), "uriBaseId": "%SRCROOT%" })
    }
}

/// A path as a part of an address: everything but unreserved characters and `/` as `%XX`.
pub fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_no_character_that_means_something() {
        assert_eq!(encoded("plans/a b#1?%ä.yaml"), "plans/a%20b%231%3F%25%C3%A4.yaml");
        assert_eq!(artifact("/x y.yaml")["uri"], "file:///x%20y.yaml");
        assert_eq!(artifact("x:y.yaml")["uri"], "x%3Ay.yaml");
    }
}
