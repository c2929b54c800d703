//! The most important results: how much was lost, where, and how long recovery took.

use serde::Serialize;

use super::anchor;
use crate::{
    audit::{Damage, Measure},
    event::{Stretch, Verdict},
    record::{RunRecord, SuiteRecord},
    report::{
        text::{duration_us, grouped, one_line, plural, verdict_word},
        totals::{Tally, damage, damage_of, length_us, longest, totals, with_role},
        trouble::{of_run, troubles},
    },
};

/// One number with its label.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// `36`.
    pub value: String,
    /// `acknowledged messages lost`.
    pub label: String,
    /// `of 25,312 acknowledged; orders/0: 20, orders/1: 16`.
    pub detail: String,
    /// `bad`, `mild`, `good`, `plain`.
    pub tone: &'static str,
    /// The part of the suite it leads to.
    pub link: String,
}

/// The definition of an anomaly, in a sentence.
pub fn definition(kind: &str) -> &'static str {
    Measure::named(kind).map_or("", |measure| measure.facts().headline.definition)
}

/// The noun phrase of a count, e.g. `acknowledged messages lost`.
fn label(kind: &str, count: u64) -> String {
    match Measure::named(kind) {
        Some(measure) => measure.facts().headline.label(count).to_owned(),
        None => kind.replace('_', " "),
    }
}

/// The page's first sentence.
pub fn title(record: &RunRecord) -> String {
    let word = capital(verdict_word(record.verdict()));
    let lost = |judged: fn(Verdict) -> bool| -> u64 {
        let suites = record.decisive().filter(|s| judged(s.verdict));
        suites.filter_map(|s| totals(s).get("lost").copied()).sum()
    };
    let failed = lost(|verdict| verdict == Verdict::Failed);
    if failed > 0 && record.verdict() == Verdict::Failed {
        return format!("{word}: {} {}", grouped(failed), label("lost", failed));
    }
    let title = format!("{word}: {}", reason(record));
    // A plan may count lost messages without judging them: that is shown, but not as the verdict.
    match lost(|_| true) {
        0 => title,
        all => format!("{title}; {} {}", grouped(all), label("lost", all)),
    }
}

/// Why the verdict is what it is.
fn reason(record: &RunRecord) -> String {
    if let Some(why) = of_run(record) {
        return why;
    }
    let tally = Tally::suites(record);
    let one = record.decisive().next().filter(|_| tally.all() == 1);
    if let Some(suite) = one
        && let Some(first) = troubles(suite).iter().find(|t| !t.optional)
    {
        return one_line(&first.heading(), 140);
    }
    match record.verdict() {
        Verdict::Passed => plural(tally.all() as u64, "suite"),
        _ => {
            let bad = Tally { passed: 0, ..tally };
            let all = plural(tally.all() as u64, "suite");
            match bad.words().split_once(' ') {
                // One kind only, and the verdict shows which.
                Some((count, kind)) if !kind.contains(',') => format!("{count} of {all}"),
                _ => format!("{} of {all}", bad.words()),
            }
        }
    }
}

/// `orders/0: 20, orders/1: 16`.
fn places(suite: &SuiteRecord, kind: &str) -> String {
    let newest = suite.newest_anomalies();
    let Some(anomaly) = newest.iter().find(|a| a.kind == kind) else { return String::new() };
    let mut by = std::collections::BTreeMap::new();
    for place in &anomaly.by {
        *by.entry((&place.topic, place.partition)).or_insert(0u64) += place.count;
    }
    let reported: Vec<_> =
        by.iter().take(8).map(|((t, p), n)| format!("{t}/{p}: {}", grouped(*n))).collect();
    let more = by.len().saturating_sub(reported.len());
    let more = if more > 0 { format!(", {more} more partitions") } else { String::new() };
    reported.join(", ") + &more
}

/// The cards of a suite, worst first.
pub fn cards(suite: &SuiteRecord) -> Vec<Card> {
    let totals = totals(suite);
    let mut cards = Vec::new();
    for (kind, count) in damage(suite) {
        let mut detail = places(suite, &kind);
        if kind == "lost"
            && let Some(acked) = totals.get("acked")
        {
            let of = format!("of {} acknowledged", grouped(*acked));
            detail = if detail.is_empty() { of } else { format!("{of} · {detail}") };
            if suite.verdict == Verdict::Passed {
                detail.push_str(" · the plan allows it");
            }
        }
        if let Some(remark) = Measure::named(&kind).and_then(|measure| measure.facts().remark) {
            detail.push_str(&format!(" · {remark}"));
        }
        cards.push(Card {
            value: grouped(count),
            label: label(&kind, count),
            detail,
            tone: if damage_of(&kind) == Some(Damage::Loss) { "bad" } else { "mild" },
            link: anomaly_link(suite, &kind),
        });
    }
    if totals.get("lost") == Some(&0) {
        let acked = totals.get("acked").map(|n| format!("of {} acknowledged", grouped(*n)));
        let detail = acked.unwrap_or_default();
        cards.insert(0, plain("0", "messages lost", detail, "good", "steps"));
    }
    cards.extend(recovery(suite));
    cards.extend(faults(suite));
    for (kind, count) in totals.iter().filter(|(k, n)| damage_of(k).is_none() && **n > 0) {
        if cards.len() >= 10 {
            break;
        }
        cards.push(plain(&grouped(*count), &label(kind, *count), String::new(), "plain", "steps"));
    }
    cards
}

fn plain(value: &str, label: &str, detail: String, tone: &'static str, link: &str) -> Card {
    Card { value: value.to_owned(), label: label.to_owned(), detail, tone, link: link.to_owned() }
}

fn anomaly_link(suite: &SuiteRecord, kind: &str) -> String {
    let known = suite.anomalies.iter().any(|a| a.kind == kind);
    if known { anchor("anomaly", kind) } else { "steps".to_owned() }
}

fn recovery(suite: &SuiteRecord) -> Option<Card> {
    let spans = longest(suite, Stretch::Recovered);
    let worst = spans.iter().max_by_key(|s| length_us(suite, s))?;
    let each: Vec<_> = spans
        .iter()
        .map(|s| {
            let place = s.place.as_ref().map(|p| format!(" ({p})")).unwrap_or_default();
            let still = if s.until_us.is_none() { ", not yet" } else { "" };
            let client = with_role(suite, &s.client);
            format!("{client} {}{place}{still}", duration_us(length_us(suite, s)))
        })
        .collect();
    let open = spans.iter().any(|s| s.until_us.is_none());
    let label = if open { "and not recovered" } else { "until recovered" };
    let tone = if open { "bad" } else { "plain" };
    let value = duration_us(length_us(suite, worst));
    Some(plain(&value, label, each.join(" · "), tone, "timeline"))
}

fn faults(suite: &SuiteRecord) -> Option<Card> {
    let first = suite.faults.first()?;
    let count = suite.faults.len();
    let length = first.until_us.unwrap_or_else(|| suite.until_us()) - first.from_us;
    let mut detail = format!("{} for {}", one_line(&first.what, 80), duration_us(length));
    if count > 1 {
        detail.push_str(&format!(" · {} more", count - 1));
    }
    let label = if count == 1 { "fault" } else { "faults" };
    Some(plain(&count.to_string(), label, detail, "plain", "timeline"))
}

/// The word with a capital first letter.
pub fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
