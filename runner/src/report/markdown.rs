//! Markdown for pull requests and step summaries.

use super::{
    text::{clean, duration, one_line, plural, verdict_word},
    totals::{Tally, damage, longest, span_words, totals_line},
    trouble::{Trouble, of_run, quote, troubles},
};
use crate::{
    event::{Holds, Stretch, Verdict},
    out::Shown as _,
    record::{RunRecord, SuiteRecord},
};

/// GitHub's limit of a step summary is 1,024 KiB; of a comment it is 65,536 characters.
pub const SUMMARY_LIMIT: usize = 1_000 << 10;
/// What fits a comment.
pub const COMMENT_LIMIT: usize = 60_000;
/// Evidence lines of one condition.
const EVIDENCE: usize = 20;
/// Rows of the table of suites.
const ROWS: usize = 500;

/// The Markdown of a run in at most `limit` bytes; what does not fit is left out and counted.
pub fn render(record: &RunRecord, limit: usize) -> String {
    let mut out = head(record);
    table(&mut out, record);
    let foot = foot(record);
    let mut left = 0u64;
    for suite in record.decisive() {
        for trouble in troubles(suite) {
            let text = section(suite, &trouble);
            // Space for the footer and the line with the number of left out failures.
            if out.len() + text.len() + foot.len() + 200 > limit {
                left += 1;
            } else {
                out.push_str(&text);
            }
        }
    }
    if left > 0 {
        out.push_str(&format!(
            "\n*{} left out here: see the other reports.*\n",
            plural(left, "failure")
        ));
    }
    out.push_str(&foot);
    out
}

fn head(record: &RunRecord) -> String {
    let tally = Tally::suites(record);
    let word = verdict_word(record.verdict());
    let mut out = format!("## {} kplan: {word}\n\n", icon(record.verdict()));
    let took = u64::try_from((record.last_us - record.started_us) / 1_000).unwrap_or(0);
    out.push_str(&format!(
        "{} ({}) in {}.",
        plural(tally.all() as u64, "suite"),
        tally.words(),
        duration(took)
    ));
    for suite in record.decisive() {
        let damage = damage(suite);
        if let Some((_, lost)) = damage.iter().find(|(kind, _)| kind == "lost") {
            let lost = plural(*lost, "acknowledged message");
            out.push_str(&format!(" **{lost} lost** in {}.", text(&suite.title())));
        }
        if out.len() > 4_000 {
            break;
        }
    }
    if record.flaky() > 0 {
        let flaky = plural(record.flaky() as u64, "suite");
        out.push_str(&format!(" **{flaky} flaky**: failed, and passed on a retry."));
    }
    if let Some(why) = of_run(record) {
        out.push_str(&format!("\n\n> **{}**", text(&why)));
    } else if record.unstarted() > 0 {
        out.push_str(&format!(" {} not begun.", plural(record.unstarted().into(), "suite")));
    }
    out.push_str("\n\n");
    out
}

fn table(out: &mut String, record: &RunRecord) {
    out.push_str("| | Suite | Steps | Time | Recovery | Counts |\n|---|---|---|---|---|---|\n");
    for suite in record.decisive().take(ROWS) {
        let recovery: Vec<_> =
            longest(suite, Stretch::Recovered).into_iter().map(|s| span_words(suite, s)).collect();
        let mut title = text(&one_line(&suite.title(), 200));
        if suite.info.simulated {
            title.push_str(" *(simulated)*");
        }
        if let Some(tried) = record.tried(suite) {
            title.push_str(&format!(" *({tried})*"));
        }
        out.push_str(&format!(
            "| {} {} | {title} | {} | {} | {} | {} |\n",
            icon(suite.verdict),
            verdict_word(suite.verdict),
            Tally::steps(suite).words(),
            duration(suite.took_ms()),
            text(&one_line(&recovery.join("; "), 300)),
            text(&one_line(&totals_line(suite), 300)),
        ));
    }
    if record.suites.len() > ROWS {
        out.push_str(&format!("\n*Only the first {ROWS} suites are shown.*\n"));
    }
}

fn section(suite: &SuiteRecord, trouble: &Trouble<'_>) -> String {
    let id = trouble.step.map(|s| format!("step {}: ", s.id)).unwrap_or_default();
    let optional = if trouble.optional { ", optional" } else { "" };
    let mut out = format!(
        "\n### {} · {id}{} ({}{optional})\n\n",
        text(&one_line(&suite.title(), 200)),
        text(&one_line(&trouble.heading(), 220)),
        trouble.kind.word()
    );
    if trouble.misses.is_empty() {
        let reason = trouble.step.and_then(|s| s.reason.as_deref()).unwrap_or(&trouble.message);
        let reason: Vec<_> = clean(reason).lines().take(40).map(|l| one_line(l, 1_000)).collect();
        out.push_str(&fenced("text", &reason.join("\n")));
    }
    for miss in &trouble.misses {
        let label = if miss.holds == Holds::Inconclusive { "missing" } else { "found" };
        out.push_str(&format!(
            "- {}\n  - expected: {}\n  - {label}: **{}**\n",
            code(&miss.condition),
            text(&one_line(&miss.expected, 400)),
            text(&one_line(&miss.found, 400))
        ));
        evidence(&mut out, &miss.evidence);
    }
    evidence(&mut out, trouble.evidence);
    let (from, end) =
        trouble.step.map_or((trouble.line, trouble.line), |s| (s.info.line, s.info.end_line));
    let lines = quote(suite, trouble.file, from, end);
    let place = format!("{}:{}", trouble.file.shown(), trouble.line);
    out.push_str(&format!("\n{}\n\n", code(&place)));
    if !lines.is_empty() {
        let numbered: Vec<_> =
            lines.iter().map(|(n, l)| format!("{n:>4} {}", one_line_kept(l))).collect();
        out.push_str(&fenced("yaml", &numbered.join("\n")));
    }
    out
}

fn evidence(out: &mut String, evidence: &[String]) {
    for line in evidence.iter().take(EVIDENCE) {
        out.push_str(&format!("  - {}\n", text(&one_line(line, 400))));
    }
    if evidence.len() > EVIDENCE {
        out.push_str(&format!("  - {} more\n", evidence.len() - EVIDENCE));
    }
}

fn foot(record: &RunRecord) -> String {
    let info = &record.info;
    let run = |run: &str, seed: u64| format!("run {} · seed {seed}", text(&one_line(run, 80)));
    let runs: Vec<String> = match record.merged.as_slice() {
        [] => vec![run(&info.run, info.seed)],
        parts => parts.iter().map(|part| run(&part.run, part.seed)).collect(),
    };
    let kplan = text(&one_line(&info.kplan, 40));
    let backend = text(&one_line(&info.backend, 80));
    format!("\n<sub>kplan {kplan} · backend {backend} · {}</sub>\n", runs.join(" · "))
}

fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✅",
        Verdict::Failed => "❌",
        Verdict::Broken => "🟪",
        Verdict::Skipped => "⏭",
    }
}

/// Indentation matters in a quote; only the length is bounded.
fn one_line_kept(line: &str) -> String {
    line.chars().take(300).collect()
}

/// Text from a run as plain text in Markdown: everything that could be markup is escaped, also HTML and
/// mentions, which would notify people.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in clean(raw).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\n' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    // A bare address would become a link.
    out.replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
}

/// A code span with as many backticks as it needs; a pipe would end a table's cell.
fn code(raw: &str) -> String {
    let raw = one_line(raw, 400).replace('|', "\u{2502}");
    let fence = "`".repeat(longest_ticks(&raw) + 1);
    let pad = if raw.starts_with('`') || raw.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{raw}{pad}{fence}")
}

fn fenced(language: &str, raw: &str) -> String {
    let raw = clean(raw);
    let fence = "`".repeat(longest_ticks(&raw).max(2) + 1);
    format!("{fence}{language}\n{raw}\n{fence}\n")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
