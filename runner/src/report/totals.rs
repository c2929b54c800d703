//! The totals of a suite or a run, the same in every report.

use indexmap::IndexMap;
use serde_json::Value;

use super::text::{duration_us, grouped};
use crate::{
    audit::{Damage, Measure},
    event::{Measurement, Stretch, Verdict},
    record::{RunRecord, SuiteRecord},
};

/// The damage that a value of this name counts, if any: above zero it is shown first and prominently.
pub fn damage_of(kind: &str) -> Option<Damage> {
    Measure::named(kind)?.facts().headline.damage
}

/// How many there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub broken: usize,
    pub skipped: usize,
}

impl Tally {
    /// Counts verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Passed => &mut tally.passed,
                Verdict::Failed => &mut tally.failed,
                Verdict::Broken => &mut tally.broken,
                Verdict::Skipped => &mut tally.skipped,
            } += 1;
        }
        tally
    }

    /// The steps of a suite; the failure of an optional step does not count.
    pub fn steps(suite: &SuiteRecord) -> Self {
        Self::of(suite.steps.iter().map(|s| s.verdict))
    }

    /// The suites of a run.
    pub fn suites(record: &RunRecord) -> Self {
        Self::of(record.decisive().map(|s| s.verdict))
    }

    pub fn all(&self) -> usize {
        self.passed + self.failed + self.broken + self.skipped
    }

    /// `3 passed, 1 failed`; what is zero is left out.
    pub fn words(&self) -> String {
        let parts = [
            (self.failed, "failed"),
            (self.broken, "broken"),
            (self.passed, "passed"),
            (self.skipped, "skipped"),
        ];
        let reported: Vec<_> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if reported.is_empty() { "nothing".to_owned() } else { reported.join(", ") }
    }
}

/// The counts of a suite that are known, by name: of all topics and clients, those by client or place added up.
/// A count of a part has another name, and what is not counted is no total.
pub fn totals(suite: &SuiteRecord) -> IndexMap<String, u64> {
    let values = suite.values();
    let counts = values.iter().filter(|(name, value)| is_count(name) && at_least(value).is_none());
    counts.filter_map(|(name, value)| Some((name.clone(), total(value, 0)?))).collect()
}

/// True for the name of something that the audit counts.
fn is_count(name: &str) -> bool {
    Measure::named(name).is_some()
}

fn total(value: &Value, depth: u8) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64(),
        Value::Object(map) if depth < 4 && !map.is_empty() => {
            map.values().try_fold(0u64, |sum, v| sum.checked_add(total(v, depth + 1)?))
        }
        _ => None,
    }
}

/// The counts of a suite that were judged inconclusive, as text.
pub fn unknown(suite: &SuiteRecord) -> IndexMap<String, String> {
    let words = |value: &Value| match value {
        Value::Null => Some("unknown".to_owned()),
        other => at_least(other).map(|n| format!("at least {}", grouped(n))),
    };
    let values = suite.values();
    let counts = values.iter().filter(|(name, _)| is_count(name));
    counts.filter_map(|(name, v)| Some((name.clone(), words(v)?))).collect()
}

/// A count of which only a lower bound is known.
fn at_least(value: &Value) -> Option<u64> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get("at_least")?.as_u64()
}

/// A suite's damage above zero, worst kind first.
pub fn damage(suite: &SuiteRecord) -> Vec<(String, u64)> {
    let totals = totals(suite);
    let damage = Measure::ALL.iter().filter(|measure| measure.facts().headline.damage.is_some());
    let counted = damage.filter_map(|measure| {
        let kind = measure.word();
        totals.get(&kind).filter(|n| **n > 0).map(|n| (kind, *n))
    });
    counted.collect()
}

/// The totals in one line, damage first: `lost 36 · acked 2,060`.
pub fn totals_line(suite: &SuiteRecord) -> String {
    let all = totals(suite);
    let unknown = unknown(suite);
    let certain = damage(suite).into_iter().filter(|(k, _)| !unknown.contains_key(k));
    let mut reported: Vec<_> = unknown.iter().map(|(k, words)| format!("{k} {words}")).collect();
    reported.extend(certain.map(|(k, n)| format!("{k} {}", grouped(n))));
    // Zero lost messages are shown, other zeros are not.
    let rest = all.iter().filter(|(k, n)| match damage_of(k).is_some() {
        true => k.as_str() == "lost" && **n == 0,
        false => **n > 0,
    });
    let rest = rest.filter(|(k, _)| !unknown.contains_key(*k));
    reported.extend(rest.map(|(k, n)| format!("{k} {}", grouped(*n))));
    reported.join(" · ")
}

/// The longest stretch of a kind for each client, e.g. of `recovered`.
pub fn longest(suite: &SuiteRecord, kind: Stretch) -> Vec<&Measurement> {
    let mut longest: IndexMap<&str, &Measurement> = IndexMap::new();
    for span in suite.spans.iter().filter(|s| s.kind == kind) {
        let known = longest.entry(&span.client).or_insert(span);
        if length_us(suite, span) > length_us(suite, known) {
            *known = span;
        }
    }
    longest.into_values().collect()
}

/// How long a stretch lasted without the client's own absence, an open one until the suite's end.
pub fn length_us(suite: &SuiteRecord, span: &Measurement) -> i64 {
    let until_us = span.until_us.unwrap_or_else(|| suite.until_us());
    (until_us - span.from_us - span.away_us).max(0)
}

/// The role of a client, if its traffic shows it: `producer`, `consumer`, else empty.
pub fn role(suite: &SuiteRecord, client: &str) -> &'static str {
    let own = |name: &str| name == client || name.split('/').next() == Some(client);
    let mut samples = suite.samples.iter().filter(|(name, _)| own(name)).peekable();
    let known = samples.peek().is_some();
    match samples.flat_map(|(_, all)| all).any(|(_, s)| s.sent > 0 || s.failed > 0) {
        true => "producer",
        false if known => "consumer",
        false => "",
    }
}

/// A client's name with what it is: `producer P`.
pub fn with_role(suite: &SuiteRecord, client: &str) -> String {
    format!("{} {client}", role(suite, client)).trim_start().to_owned()
}

/// `P recovered after 4.3 s (orders/1)`.
pub fn span_words(suite: &SuiteRecord, span: &Measurement) -> String {
    let took = duration_us(length_us(suite, span));
    let place = span.place.as_ref().map(|p| format!(" ({p})")).unwrap_or_default();
    match (span.kind, span.until_us) {
        (Stretch::Recovered, Some(_)) => format!("{} recovered after {took}{place}", span.client),
        (Stretch::Recovered, None) => {
            format!("{} had not recovered after {took}{place}", span.client)
        }
        (kind, Some(_)) => format!("{} {} for {took}{place}", span.client, kind.word()),
        (kind, None) => {
            format!("{} {} for {took}{place}, still at the end", span.client, kind.word())
        }
    }
}
