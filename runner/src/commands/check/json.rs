//! Diagnostics as JSON, for scripts: the format is documented and stable.

use serde::Serialize;

use super::finding::CheckFinding;

#[derive(Serialize)]
struct Form<'f> {
    diagnostics: Vec<Entry<'f>>,
}

/// One diagnostic; lines and columns count from 1, the end lies behind the last character.
#[derive(Serialize)]
struct Entry<'f> {
    code: &'f str,
    severity: &'f str,
    file: &'f str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    message: &'f str,
    help: Option<&'f str>,
}

pub fn render(findings: &[CheckFinding]) -> String {
    let diagnostics = findings.iter().map(|f| Entry {
        code: f.code.text(),
        severity: f.severity().word(),
        file: &f.place.file,
        line: f.place.start.line,
        column: f.place.start.column,
        end_line: f.place.end.line,
        end_column: f.place.end.column,
        message: &f.message,
        help: f.help.as_deref(),
    });
    super::pretty(&Form { diagnostics: diagnostics.collect() })
}
