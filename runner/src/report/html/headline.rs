//! What a person should know first: how much was lost, where, and how long recovery took.

use serde::Serialize;

use super::anchor;
use crate::{
    event::{Stretch, Verdict},
    record::{RunRecord, SuiteRecord},
    report::{
        text::{duration_us, grouped, one_line, plural, verdict_word},
        totals::{self, DAMAGE, Tally, damage, length_us, longest, totals, with_role},
        trouble::{of_run, troubles},
    },
};

/// Values that count messages, besides damage.
const COUNTS: [&str; 7] =
    ["acked", "failed", "delivered", "committed", "aborted", "expired", "unresolved"];

/// One number with its words.
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

/// What a kind of damage means, in a sentence.
pub fn definition(kind: &str) -> &'static str {
    match kind {
        "lost" => "Acknowledged to the producer, still within retention, and not in the log.",
        "expired" => "Acknowledged, and since removed by retention or compaction.",
        "duplicated" => "More than one copy of a message is in the log; extra copies are counted.",
        "reordered" => {
            "The first copy lies after a later message of the same producer and partition."
        }
        "diverged" => {
            "One offset showed two different messages at two times: the log was cut back after it was seen."
        }
        "replicas_differ" => "Replicas that are in sync do not hold the same record at an offset.",
        "corrupted" => "The content does not match its checksum.",
        "undelivered" => {
            "In the log and visible to the group, and delivered to none of its members."
        }
        "redelivered" => "Delivered to the group more than once; extra deliveries are counted.",
        "skipped" => "A consumer's delivery jumped over visible messages.",
        "phantom" => "In the log or delivered, and sent by no client of this run.",
        "unexpected_success" => "Reported to the producer as failed for good, yet in the log.",
        "aborted_read" => {
            "A message of an aborted transaction, delivered to a read_committed consumer."
        }
        "uncopied" => "In a copier's input, and without a visible copy in its output.",
        "overcopied" => {
            "Copied more often than a copier's input shows the message: twice, or though it was aborted."
        }
        "unresolved" => {
            "Sent by a life that died before it heard the answer: may be in the log or not."
        }
        _ => "",
    }
}

/// The noun phrase of a count, e.g. `acknowledged messages lost`.
fn label(kind: &str, count: u64) -> String {
    let messages = if count == 1 { "message" } else { "messages" };
    match kind {
        "lost" => format!("acknowledged {messages} lost"),
        "duplicated" => format!("extra {} in the log", if count == 1 { "copy" } else { "copies" }),
        "redelivered" => format!("extra {}", if count == 1 { "delivery" } else { "deliveries" }),
        "uncopied" => format!("{messages} not copied"),
        "overcopied" => format!("{} too many", if count == 1 { "copy" } else { "copies" }),
        "replicas_differ" => {
            let records = if count == 1 { "record that differs" } else { "records that differ" };
            format!("{records} between in-sync replicas")
        }
        "acked" => format!("{messages} acknowledged"),
        "failed" => format!("{messages} failed for good"),
        other => format!("{messages} {}", other.replace('_', " ")),
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
    // A plan may count what is lost without judging it: said, and never taken for the verdict.
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
        return one_line(&first.title, 120);
    }
    match record.verdict() {
        Verdict::Passed => plural(tally.all() as u64, "suite"),
        _ => {
            let bad = Tally { passed: 0, ..tally };
            let all = plural(tally.all() as u64, "suite");
            match bad.words().split_once(' ') {
                // One kind only, and the verdict has said which.
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
    let told: Vec<_> =
        by.iter().take(8).map(|((t, p), n)| format!("{t}/{p}: {}", grouped(*n))).collect();
    let more = by.len().saturating_sub(told.len());
    let more = if more > 0 { format!(", {more} more partitions") } else { String::new() };
    told.join(", ") + &more
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
        if kind == "diverged" {
            detail.push_str(" · the log was cut back after they were seen");
        }
        cards.push(Card {
            value: grouped(count),
            label: label(&kind, count),
            detail,
            tone: if totals::is_loss(&kind) { "bad" } else { "mild" },
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
    for (kind, count) in totals.iter().filter(|(k, n)| !DAMAGE.contains(&k.as_str()) && **n > 0) {
        if cards.len() >= 10 {
            break;
        }
        let label = if COUNTS.contains(&kind.as_str()) {
            label(kind, *count)
        } else {
            kind.replace('_', " ")
        };
        cards.push(plain(&grouped(*count), &label, String::new(), "plain", "steps"));
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

/// First letter large.
pub fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
