//! TAP version 14: a test point for each step, a plan as a subtest.

use super::{
    text::one_line,
    trouble::{Trouble, of_run, of_step, troubles},
};
use crate::{
    event::Verdict,
    record::{RunRecord, StepRecord, SuiteRecord},
};

/// The TAP stream of a run.
pub fn render(record: &RunRecord) -> String {
    let suites: Vec<_> = record.decisive().collect();
    let of_run = of_run(record);
    let count = suites.len() + usize::from(of_run.is_some());
    let mut out = format!("TAP version 14\n1..{count}\n");
    for (number, suite) in (1..).zip(&suites) {
        let title = description(&suite.title());
        out.push_str(&format!("# Subtest: {title}\n"));
        subtest(&mut out, suite);
        let ok = if suite.verdict > Verdict::Passed { "not ok" } else { "ok" };
        let tried = record.tried(suite).map(|t| format!(" ({t})")).unwrap_or_default();
        out.push_str(&format!("{ok} {number} - {title}{tried}\n"));
    }
    if let Some(text) = of_run {
        out.push_str(&format!("not ok {count} - the run\n"));
        diagnostics(&mut out, "", &[("message", text), ("severity", "broken".to_owned())]);
    }
    out
}

fn subtest(out: &mut String, suite: &SuiteRecord) {
    let own: Vec<_> = troubles(suite).into_iter().filter(|t| t.step.is_none()).collect();
    out.push_str(&format!("    1..{}\n", suite.steps.len() + own.len()));
    let mut number = 0;
    for step in &suite.steps {
        number += 1;
        point(out, number, step);
    }
    for trouble in own {
        number += 1;
        out.push_str(&format!("    not ok {number} - {}\n", description(&trouble.title)));
        reported(out, &trouble);
    }
}

fn point(out: &mut String, number: usize, step: &StepRecord) {
    let title = description(&step.title());
    let trouble = of_step(step);
    let (ok, directive) = match (&trouble, step.verdict) {
        // TAP's directive for a failure that does not count.
        (Some(t), _) if t.optional => ("not ok", " # TODO optional".to_owned()),
        (Some(_), _) => ("not ok", String::new()),
        (None, Verdict::Skipped) => {
            let why = description(step.reason.as_deref().unwrap_or_default());
            ("ok", format!(" # SKIP {why}"))
        }
        (None, _) => ("ok", String::new()),
    };
    out.push_str(&format!("    {ok} {number} - {title}{directive}\n"));
    if let Some(trouble) = trouble {
        reported(out, &trouble);
    }
}

fn reported(out: &mut String, trouble: &Trouble<'_>) {
    let mut pairs = vec![
        ("message", trouble.message.clone()),
        ("severity", trouble.kind.word().to_owned()),
        ("file", one_line(&trouble.file.to_string_lossy(), 400)),
        ("line", trouble.line.to_string()),
    ];
    let evidence: Vec<_> = trouble
        .misses
        .iter()
        .flat_map(|m| &m.evidence)
        .chain(trouble.evidence)
        .take(20)
        .map(|e| one_line(e, 400))
        .collect();
    if !evidence.is_empty() {
        pairs.push(("evidence", evidence.join("; ")));
    }
    diagnostics(out, "    ", &pairs);
}

/// A YAML block; JSON strings are YAML strings, so nothing of a run can end it.
fn diagnostics(out: &mut String, indent: &str, pairs: &[(&str, String)]) {
    out.push_str(&format!("{indent}  ---\n"));
    for (key, value) in pairs {
        let value = serde_json::Value::from(one_line(value, 4_000));
        out.push_str(&format!("{indent}  {key}: {value}\n"));
    }
    out.push_str(&format!("{indent}  ...\n"));
}

/// A description in one line; `#` would begin a directive, a backslash an escape.
fn description(text: &str) -> String {
    one_line(text, 300).replace('\\', "\\\\").replace('#', "\\#")
}
