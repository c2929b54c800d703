//! The HTML report: one file that needs nothing from the network.
//!
//! Everything from a run is escaped by the template; the page's policy lets no script run but its
//! own (by its hash) and no request leave. Curves have at most [`chart::POINTS`] points, log lines are
//! chosen by the moments they are near to, and suites that do not fit are listed in the overview only.

mod anomalies;
mod axis;
pub mod chart;
mod headline;
mod lanes;
mod loglines;
mod markdown;
mod story;
mod view;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use minijinja::{Environment, Value, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::markdown::render as render_markdown;
use self::{
    headline::{Card, capital, cards, title},
    view::{Room, SuiteView},
};
use super::{
    text::{clean, duration, one_line, verdict_word},
    totals::{Tally, damage, damage_of, longest, span_words, totals_line},
    trouble::of_run,
};
use crate::{
    audit::Damage,
    event::{Stretch, Verdict},
    record::{RunRecord, SuiteRecord},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const PAGE: &str = include_str!("page.html");
const SUITE: &str = include_str!("suite.html");
const TIMELINE: &str = include_str!("timeline.html");

/// Most bytes of the page.
const LIMIT: usize = 2_900_000;
/// Bytes of log lines on a page.
const LOGS: usize = 1_000_000;
/// Points of all curves of a kind on a page.
const ALL_POINTS: usize = 14_000;

/// A row of the overview.
#[derive(Serialize)]
struct Row {
    id: String,
    title: String,
    verdict: &'static str,
    steps: String,
    took: String,
    recovery: String,
    totals: String,
    bad: bool,
    simulated: bool,
    shown: bool,
}

#[derive(Serialize)]
struct Page {
    title: String,
    verdict: &'static str,
    verdict_word: String,
    run: Vec<(&'static str, String)>,
    command: String,
    trouble: String,
    cards: Vec<Card>,
    cards_suite: String,
    cards_id: String,
    rows: Vec<Row>,
    suites: Vec<String>,
    left_out: usize,
    damaged_lines: u64,
    style: &'static str,
    script: &'static str,
    script_hash: String,
}

/// The HTML page of a run.
pub fn render(record: &RunRecord) -> String {
    let env = match environment() {
        Ok(env) => env,
        Err(error) => return excuse(&error),
    };
    let suites: Vec<&SuiteRecord> = record.decisive().collect();
    let rendered = match render_suites(&env, record, &suites) {
        Ok(rendered) => rendered,
        Err(error) => return excuse(&error),
    };
    let page = page(record, &suites, rendered);
    env.get_template("page.html")
        .and_then(|template| template.render(Value::from(Serde(page))))
        .unwrap_or_else(|error| excuse(&error))
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.add_template("page.html", PAGE)?;
    env.add_template("suite.html", SUITE)?;
    env.add_template("timeline.html", TIMELINE)?;
    Ok(env)
}

/// A name that is valid as an element's id and in a link to it, different for every name, so that no link leads to the
/// wrong element.
fn anchor(kind: &str, name: &str) -> String {
    let mut id = format!("{kind}-");
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') => id.push(c),
            c => id.push_str(&format!("-{:x}-", u32::from(c))),
        }
    }
    id
}

/// The page if a template has a defect. The templates are part of the program and tested.
fn excuse(error: &minijinja::Error) -> String {
    let text = format!("{error:#}").replace('&', "&amp;").replace('<', "&lt;");
    format!("<!doctype html><title>kplan</title><pre>this report could not be made: {text}</pre>")
}

/// Renders each suite's part; the worst suites get their space first, others none if no space is left.
fn render_suites(
    env: &Environment<'_>,
    record: &RunRecord,
    suites: &[&SuiteRecord],
) -> Result<Vec<Option<String>>, minijinja::Error> {
    let count = suites.len().max(1);
    let room = Room {
        points: (ALL_POINTS / count).clamp(60, chart::POINTS),
        logs: (LOGS / count).max(4_000),
    };
    let template = env.get_template("suite.html")?;
    let mut order: Vec<usize> = (0..suites.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(suites[*at].verdict));
    let mut rendered = vec![None; suites.len()];
    let mut left = LIMIT - STYLE.len() - SCRIPT.len() - 600 * suites.len().min(2_000);
    for at in order {
        let view: SuiteView = view::suite(record, suites[at], room);
        let text = template.render(Value::from(Serde(view)))?;
        if text.len() <= left {
            left -= text.len();
            rendered[at] = Some(text);
        }
    }
    Ok(rendered)
}

fn page(record: &RunRecord, suites: &[&SuiteRecord], rendered: Vec<Option<String>>) -> Page {
    let row = |(suite, shown): (&&SuiteRecord, &Option<String>)| Row {
        id: format!("s{}", suite.number),
        title: one_line(&suite.title(), 200),
        verdict: verdict_word(suite.verdict),
        steps: Tally::steps(suite).words(),
        took: duration(suite.took_ms()),
        recovery: one_line(
            &longest(suite, Stretch::Recovered)
                .into_iter()
                .map(|s| span_words(suite, s))
                .collect::<Vec<_>>()
                .join("; "),
            200,
        ),
        totals: one_line(&totals_line(suite), 200),
        bad: damage(suite).iter().any(|(kind, _)| damage_of(kind) == Some(Damage::Loss)),
        simulated: suite.info.simulated,
        shown: shown.is_some(),
    };
    let rows: Vec<_> = suites.iter().zip(&rendered).take(2_000).map(row).collect();
    // The cards at the top are those of the suite that lost most, else of the worst.
    let first = suites
        .iter()
        .max_by_key(|s| (super::totals::totals(s).get("lost").copied().unwrap_or(0), s.verdict));
    let verdict = record.verdict();
    Page {
        title: one_line(&title(record), 300),
        verdict: verdict_word(verdict),
        verdict_word: capital(verdict_word(verdict)),
        run: run_facts(record),
        command: one_line(&record.info.command.join(" "), 1_000),
        trouble: of_run(record).unwrap_or_default(),
        // A single suite shows its own cards right below.
        cards: match suites.len() {
            0 | 1 => Vec::new(),
            _ => first.map(|s| cards(s)).unwrap_or_default().into_iter().take(4).collect(),
        },
        cards_suite: first.map(|s| one_line(&s.title(), 200)).unwrap_or_default(),
        cards_id: first.map(|s| format!("s{}", s.number)).unwrap_or_default(),
        left_out: rendered.iter().filter(|r| r.is_none()).count(),
        rows,
        suites: rendered.into_iter().flatten().collect(),
        damaged_lines: record.damaged_lines,
        style: STYLE,
        script: SCRIPT,
        script_hash: BASE64_STANDARD.encode(Sha256::digest(SCRIPT)),
    }
}

/// The seed of the run; those of its parts if it was merged.
fn seeds(record: &RunRecord) -> String {
    match record.merged.as_slice() {
        [] => record.info.seed.to_string(),
        parts => parts
            .iter()
            .map(|one| format!("{} ({})", one.seed, clean(&one.run)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn run_facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let info = &record.info;
    let took = u64::try_from((record.last_us - record.started_us) / 1_000).unwrap_or(0);
    let mut facts = vec![
        ("Run", clean(&info.run)),
        ("Began", record.began().strftime("%F %T UTC").to_string()),
        ("Took", duration(took)),
        ("Suites", Tally::suites(record).words()),
        ("Flaky suites", record.flaky().to_string()),
        ("Backend", clean(&info.backend)),
        ("Seed", seeds(record)),
        ("kplan", clean(&info.kplan)),
    ];
    if record.suites.iter().any(|s| s.info.simulated) {
        facts.push(("Results", "simulated".to_owned()));
    }
    if record.unstarted() > 0 && record.verdict() != Verdict::Passed {
        facts.push(("Not begun", record.unstarted().to_string()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::anchor;

    #[test]
    fn no_two_names_have_the_same_anchor() {
        let long = |last: char| format!("7.{}.{last}", "a-branch".repeat(20));
        let names = ["7.a-b.1", "7.a b.1", "7.a_b.1", "7.a#2", "7.a-23-2", "7.ä", "7.ö"];
        let names: Vec<String> =
            names.map(str::to_owned).into_iter().chain(['1', '2'].map(long)).collect();
        let ids: std::collections::BTreeSet<String> =
            names.iter().map(|name| anchor("step", name)).collect();
        assert_eq!(ids.len(), names.len(), "{ids:?}");
        assert!(ids.iter().flat_map(|id| id.chars()).all(|c| c.is_ascii_graphic()));
    }
}
