//! The closing summary of a run on the terminal.

use anstyle::{AnsiColor, Style};
use kplan_dsl::visible;

use super::{
    text::{clean, duration, one_line, plural, verdict_word},
    totals::{Tally, longest, span_words, totals_line},
    trouble::{Trouble, TroubleKind, of_run, quote, troubles},
};
use crate::{
    event::{Finding, Holds, Stretch, Verdict},
    out::Shown as _,
    out::paint,
    record::{RunRecord, SuiteRecord},
};

/// Evidence lines shown of one condition; the reports have all of them.
const EVIDENCE: usize = 8;
/// Widest title in the table.
const TITLE: usize = 200;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// The colour of a verdict.
pub(super) fn verdict_style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Passed => AnsiColor::Green,
        Verdict::Failed => AnsiColor::Red,
        Verdict::Broken => AnsiColor::Magenta,
        Verdict::Skipped => AnsiColor::Yellow,
    };
    Style::new().fg_color(Some(color.into())).bold()
}

/// The summary with kplan's own colours, which [`crate::out`] removes without a terminal. `quiet` leaves the table of
/// suites out when all passed.
pub fn render(record: &RunRecord, quiet: bool) -> String {
    let mut out = String::new();
    for suite in record.decisive() {
        let troubles = troubles(suite);
        if !troubles.is_empty() {
            out.push_str(&format!("\n{}\n", heading(suite)));
            troubles.iter().for_each(|t| trouble(&mut out, suite, t));
        }
    }
    if !quiet || record.verdict() != Verdict::Passed {
        out.push('\n');
        table(&mut out, record);
    }
    out.push('\n');
    out.push_str(&closing(record));
    out
}

fn heading(suite: &SuiteRecord) -> String {
    let word = verdict_word(suite.verdict).to_uppercase();
    let word = paint(verdict_style(suite.verdict), &word);
    let title = paint(BOLD, &one_line(&suite.title(), 200));
    format!("{word} {title}  {}", paint(DIM, &one_line(&suite.info.file.to_string_lossy(), 400)))
}

fn trouble(out: &mut String, suite: &SuiteRecord, trouble: &Trouble<'_>) {
    let style = match trouble.kind {
        TroubleKind::Broken => verdict_style(Verdict::Broken),
        _ => verdict_style(Verdict::Failed),
    };
    let id = trouble.step.map(|s| format!("step {}: ", s.id)).unwrap_or_default();
    let word = match trouble.optional {
        true => format!("{}, optional", trouble.kind.word()),
        false => trouble.kind.word().to_owned(),
    };
    let title = one_line(&format!("{id}{}", trouble.heading()), 220);
    out.push_str(&format!("\n  {}  {}\n", paint(BOLD, &title), paint(style, &word)));
    if trouble.misses.is_empty() {
        let reason = trouble.step.and_then(|s| s.reason.as_deref()).unwrap_or(&trouble.message);
        clean(reason)
            .lines()
            .take(30)
            .for_each(|l| out.push_str(&format!("    {}\n", visible::bounded(l, 2_000))));
    }
    trouble.misses.iter().for_each(|miss| condition(out, miss));
    evidence(out, trouble.evidence);
    lines(out, suite, trouble);
}

fn condition(out: &mut String, miss: &Finding) {
    let label = if miss.holds == Holds::Inconclusive { "missing " } else { "found   " };
    out.push_str(&format!("    {}\n", one_line(&miss.condition, 200)));
    out.push_str(&format!("      expected  {}\n", one_line(&miss.expected, 400)));
    let found = paint(BOLD, &one_line(&miss.found, 400));
    out.push_str(&format!("      {label}  {found}\n"));
    evidence(out, &miss.evidence);
}

fn evidence(out: &mut String, evidence: &[String]) {
    for (at, line) in evidence.iter().take(EVIDENCE).enumerate() {
        let label = if at == 0 { "evidence" } else { "        " };
        out.push_str(&format!("      {label}  {}\n", one_line(line, 400)));
    }
    if evidence.len() > EVIDENCE {
        let more = evidence.len() - EVIDENCE;
        out.push_str(&format!("                {more} more in the reports\n"));
    }
}

fn lines(out: &mut String, suite: &SuiteRecord, trouble: &Trouble<'_>) {
    let (from, end) =
        trouble.step.map_or((trouble.line, trouble.line), |s| (s.info.line, s.info.end_line));
    let place = format!("{}:{}", trouble.file.shown(), trouble.line);
    out.push_str(&format!("    {}\n", paint(DIM, &clean(&place))));
    for (number, text) in quote(suite, trouble.file, from, end) {
        let marked = trouble.misses.iter().any(|m| m.line == number);
        let mark = if marked { paint(verdict_style(Verdict::Failed), ">") } else { " ".to_owned() };
        let text = visible::bounded(&text, 400);
        out.push_str(&format!("    {mark}{number:>4} | {text}\n"));
    }
}

/// A suite on one line, and below it its counts: titles with their matrix cells are long, and
/// the cell is what distinguishes two suites.
fn table(out: &mut String, record: &RunRecord) {
    for suite in record.decisive() {
        let word = format!("{:<8}", verdict_word(suite.verdict));
        let word = paint(verdict_style(suite.verdict), &word);
        let title = one_line(&suite.title(), TITLE);
        out.push_str(&format!("{word} {:>11}  {title}\n", duration(suite.took_ms())));
        let mut reported = vec![Tally::steps(suite).words()];
        reported.push(totals_line(suite));
        reported
            .extend(longest(suite, Stretch::Recovered).into_iter().map(|s| span_words(suite, s)));
        if suite.info.simulated {
            reported.push("simulated".to_owned());
        }
        // First, since the line is cut at its end.
        reported.splice(0..0, record.tried(suite));
        reported.retain(|t| !t.is_empty());
        let reported = one_line(&reported.join(" · "), 300);
        out.push_str(&format!("{:22}{}\n", "", paint(DIM, &reported)));
    }
}

fn closing(record: &RunRecord) -> String {
    let tally = Tally::suites(record);
    let verdict = paint(verdict_style(record.verdict()), verdict_word(record.verdict()));
    let took = u64::try_from((record.last_us - record.started_us) / 1_000).unwrap_or(0);
    let seed = match record.merged.is_empty() {
        true => format!(", seed {}", record.info.seed),
        false => String::new(),
    };
    let suites = plural(tally.all() as u64, "suite");
    let mut line = format!("{verdict}: {suites} ({}) in {}{seed}\n", tally.words(), duration(took));
    if record.flaky() > 0 {
        let flaky = format!(
            "{} flaky: failed, and passed on a retry",
            plural(record.flaky() as u64, "suite")
        );
        line.push_str(&format!("{}\n", paint(verdict_style(Verdict::Skipped), &flaky)));
    }
    if let Some(why) = of_run(record) {
        line.push_str(&format!("{}\n", paint(verdict_style(Verdict::Broken), &why)));
    } else if record.unstarted() > 0 {
        line.push_str(&format!("{} not begun\n", plural(record.unstarted().into(), "suite")));
    }
    if !record.dir.as_os_str().is_empty() {
        let dir = one_line(&record.dir.to_string_lossy(), 400);
        let run = one_line(&record.info.run, 80);
        line.push_str(&paint(DIM, &format!("run {run}: events, logs and histories in {dir}\n")));
    }
    for part in &record.merged {
        let (run, dir) = (one_line(&part.run, 80), one_line(&part.dir.to_string_lossy(), 400));
        let suites = plural(part.suites as u64, "suite");
        let text = format!(
            "run {run}: {suites}, seed {}, events, logs and histories in {dir}\n",
            part.seed
        );
        line.push_str(&paint(DIM, &text));
    }
    line
}
