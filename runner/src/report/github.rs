//! GitHub's annotations: failures at the plan's own line.
//!
//! GitHub shows at most ten of a level and step; the rest is summed up in the last one.

use super::{
    text::{bounded, clean, one_line},
    trouble::{Trouble, of_run, troubles},
};
use crate::record::{RunRecord, SuiteRecord};

/// Annotations that GitHub shows of one level.
const SHOWN: usize = 10;

/// The workflow commands of a run: errors for what fails it, warnings for flaky suites and optional failures.
pub fn render(record: &RunRecord) -> String {
    let all: Vec<_> = record
        .decisive()
        .flat_map(|suite| troubles(suite).into_iter().map(move |t| (suite, t)))
        .collect();
    let (optional, errors): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, t)| t.optional);
    let mut errors: Vec<_> = errors.iter().map(|(s, t)| command("error", s, t)).collect();
    if let Some(text) = of_run(record) {
        // Before all others: it shows that the others are not complete.
        errors.insert(0, format!("::error title=kplan::{}", data(&text)));
    }
    let mut warnings: Vec<_> = flaky(record).collect();
    warnings.extend(optional.iter().map(|(s, t)| command("warning", s, t)));
    limited("error", errors) + &limited("warning", warnings)
}

/// A warning for each suite that failed before it passed, at its plan, with the reason of the first failure.
fn flaky(record: &RunRecord) -> impl Iterator<Item = String> + '_ {
    record.decisive().filter(|suite| suite.is_flaky()).map(|suite| {
        let mut body = record.tried(suite).unwrap_or_default();
        for earlier in record.earlier_attempts(suite) {
            for trouble in troubles(earlier) {
                let at = format!("attempt {}: {}", earlier.info.attempt, trouble.heading());
                body.push_str(&format!("\n{}\n{}", one_line(&at, 200), trouble.body(earlier)));
            }
        }
        format!(
            "::warning file={},line=1,title={}::{}",
            property(&suite.info.file.to_string_lossy()),
            property(&one_line(&format!("{}: flaky", suite.title()), 200)),
            data(&bounded(&body, 4_000))
        )
    })
}

fn limited(level: &str, mut commands: Vec<String>) -> String {
    if commands.len() > SHOWN {
        let more = commands.len() - (SHOWN - 1);
        commands.truncate(SHOWN - 1);
        commands.push(format!("::{level} title=kplan::{more} more: see the report"));
    }
    commands.iter().map(|c| format!("{c}\n")).collect()
}

fn command(level: &str, suite: &SuiteRecord, trouble: &Trouble<'_>) -> String {
    let mut title = one_line(&format!("{}: {}", suite.title(), trouble.title), 200);
    if let Some(step) = trouble.step {
        title =
            one_line(&format!("{}: step {}: {}", suite.title(), step.id, trouble.heading()), 200);
    }
    let end = trouble.step.map_or(trouble.line, |s| s.info.end_line.max(trouble.line));
    format!(
        "::{level} file={},line={},endLine={end},title={}::{}",
        property(&trouble.file.to_string_lossy()),
        trouble.line,
        property(&title),
        data(&bounded(&trouble.body(suite), 4_000))
    )
}

/// As GitHub's own toolkit escapes a message.
pub(crate) fn data(text: &str) -> String {
    clean(text).trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As GitHub's own toolkit escapes a property.
pub(crate) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
