//! Compares two runs, or the cells of one: verdicts, counts, recovery, latency.

mod render;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

pub use self::render::{html, markdown, text};
use super::{
    text::{duration, duration_us, grouped, one_line, verdict_word},
    totals::{Tally, damage_of, length_us, longest, totals},
};
use crate::{
    audit::{Damage, Measure},
    event::Stretch,
    record::{RunRecord, SuiteRecord},
};

/// The comparison of two sides.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Name of the left side.
    pub left: String,
    /// Name of the right side.
    pub right: String,
    /// Suites that both sides have.
    pub pairs: Vec<Pair>,
    /// Suites of the left side alone.
    pub only_left: Vec<String>,
    /// Suites of the right side alone.
    pub only_right: Vec<String>,
}

/// Two suites.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// Their title; both titles if they differ.
    pub title: String,
    pub rows: Vec<Row>,
}

/// One value of two suites.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub left: String,
    pub right: String,
    /// The difference as text; empty if there is none.
    pub change: String,
    /// `worse`, `better`, `plain`.
    pub tone: &'static str,
}

impl Comparison {
    /// Two runs: suites are paired by plan, cell and repetition; if one suite of the same name is left over on both
    /// sides (another version, for example), those are paired too.
    pub fn of_runs(left: &RunRecord, right: &RunRecord) -> Self {
        let mut rest: Vec<&SuiteRecord> = right.decisive().collect();
        let mut pairs = Vec::new();
        let mut alone: Vec<&SuiteRecord> = Vec::new();
        for suite in left.decisive() {
            match rest.iter().position(|other| other.same_suite(suite)) {
                Some(at) => pairs.push((suite, rest.remove(at))),
                None => alone.push(suite),
            }
        }
        let named =
            |all: &[&SuiteRecord], name: &str| all.iter().filter(|s| s.info.name == name).count();
        let mut only_left = Vec::new();
        for suite in &alone {
            let name = &suite.info.name;
            let one_each = named(&alone, name) == 1 && named(&rest, name) == 1;
            match rest.iter().position(|other| one_each && other.info.name == *name) {
                Some(at) => pairs.push((suite, rest.remove(at))),
                None => only_left.push(suite.title()),
            }
        }
        Self {
            left: one_line(&left.info.run, 80),
            right: one_line(&right.info.run, 80),
            pairs: pairs.iter().map(|(a, b)| pair(a, b)).collect(),
            only_left,
            only_right: rest.iter().map(|s| s.title()).collect(),
        }
    }

    /// The matrix cells of one run's plans: each further cell is compared with the plan's first.
    pub fn of_cells(record: &RunRecord) -> Self {
        let mut plans: IndexMap<_, Vec<&SuiteRecord>> = IndexMap::new();
        for suite in record.decisive() {
            plans.entry((&suite.info.file, &suite.info.name)).or_default().push(suite);
        }
        let beside = |cells: &Vec<&SuiteRecord>| -> Vec<Pair> {
            let Some((first, others)) = cells.split_first() else { return Vec::new() };
            others.iter().map(|other| pair(first, other)).collect()
        };
        Self {
            left: "first cell".to_owned(),
            right: "other cell".to_owned(),
            only_left: plans
                .values()
                .filter(|cells| cells.len() == 1)
                .map(|cells| cells[0].title())
                .collect(),
            pairs: plans.values().flat_map(beside).collect(),
            only_right: Vec::new(),
        }
    }

    /// Something got worse.
    pub fn worse(&self) -> bool {
        self.pairs.iter().flat_map(|p| &p.rows).any(|r| r.tone == "worse")
    }
}

fn pair(left: &SuiteRecord, right: &SuiteRecord) -> Pair {
    let (a, b) = (one_line(&left.title(), 200), one_line(&right.title(), 200));
    let mut rows = vec![verdict(left, right)];
    rows.push(plain("steps", Tally::steps(left).words(), Tally::steps(right).words()));
    rows.push(plain("time", duration(left.took_ms()), duration(right.took_ms())));
    rows.extend(counts(left, right));
    rows.extend(spans(left, right));
    rows.extend(latency(left, right));
    Pair { title: if a == b { a } else { format!("{a} → {b}") }, rows }
}

fn plain(name: &str, left: String, right: String) -> Row {
    Row { name: name.to_owned(), left, right, change: String::new(), tone: "plain" }
}

fn verdict(left: &SuiteRecord, right: &SuiteRecord) -> Row {
    let mut row = plain(
        "verdict",
        verdict_word(left.verdict).to_owned(),
        verdict_word(right.verdict).to_owned(),
    );
    if left.verdict != right.verdict {
        let worse = right.verdict > left.verdict;
        row.change = if worse { "worse" } else { "better" }.to_owned();
        row.tone = if worse { "worse" } else { "better" };
    }
    row
}

fn counts(left: &SuiteRecord, right: &SuiteRecord) -> Vec<Row> {
    let (a, b) = (totals(left), totals(right));
    let names: IndexSet<&String> = a.keys().chain(b.keys()).collect();
    let mut names: Vec<_> = names.into_iter().collect();
    // Damage first, in the order of all reports.
    let rank = |name: &str| (damage_of(name).is_none(), damage_of(name).and(Measure::named(name)));
    names.sort_by_key(|name| rank(name));
    let row = |name: &String| {
        let words = |n: Option<&u64>| n.map_or_else(|| "–".to_owned(), |n| grouped(*n));
        let mut row = plain(name, words(a.get(name)), words(b.get(name)));
        if let (Some(from), Some(to)) = (a.get(name), b.get(name))
            && from != to
        {
            let (sign, by) = if to > from { ('+', to - from) } else { ('−', from - to) };
            row.change = format!("{sign}{}", grouped(by));
            let damage = damage_of(name);
            if damage.is_some() && (damage == Some(Damage::Loss) || to > from) {
                row.tone = if to > from { "worse" } else { "better" };
            }
        }
        row
    };
    names.into_iter().map(row).collect()
}

fn spans(left: &SuiteRecord, right: &SuiteRecord) -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in [Stretch::Recovered, Stretch::Unavailable] {
        let of = |suite: &SuiteRecord| -> IndexMap<String, i64> {
            let spans = longest(suite, kind);
            spans.into_iter().map(|s| (s.client.clone(), length_us(suite, s))).collect()
        };
        let (a, b) = (of(left), of(right));
        let clients: IndexSet<&String> = a.keys().chain(b.keys()).collect();
        for client in clients {
            let words = |us: Option<&i64>| us.map_or_else(|| "–".to_owned(), |us| duration_us(*us));
            let name = format!("{client} {}", kind.word());
            let mut row = plain(&name, words(a.get(client)), words(b.get(client)));
            if let (Some(from), Some(to)) = (a.get(client), b.get(client)) {
                (row.change, row.tone) = change(*from as f64, *to as f64);
            }
            rows.push(row);
        }
    }
    rows
}

/// Change of a time in percent; within a tenth it is noise.
fn change(from: f64, to: f64) -> (String, &'static str) {
    if from <= 0.0 || (to - from).abs() < from * 0.01 {
        return (String::new(), "plain");
    }
    let percent = (to - from) / from * 100.0;
    let tone = match percent {
        p if p > 10.0 => "worse",
        p if p < -10.0 => "better",
        _ => "plain",
    };
    let sign = if percent < 0.0 { "−" } else { "+" };
    if percent >= 900.0 {
        return (format!("{:.0} times", to / from), tone);
    }
    (format!("{sign}{:.0} %", percent.abs()), tone)
}

fn latency(left: &SuiteRecord, right: &SuiteRecord) -> Vec<Row> {
    let clients: IndexSet<&String> = left.samples.keys().chain(right.samples.keys()).collect();
    let mut rows = Vec::new();
    for client in clients {
        for (name, index, worst) in
            [("p50 of a second", 0, false), ("p99 of a second", 1, false), ("worst p99", 1, true)]
        {
            let of = |suite: &SuiteRecord| figure(suite, client, index, worst);
            let (a, b) = (of(left), of(right));
            if a.is_none() && b.is_none() {
                continue;
            }
            let words = |ms: Option<f64>| match ms {
                Some(ms) if ms >= 1_000.0 => format!("{:.1} s", ms / 1_000.0),
                Some(ms) => format!("{ms:.1} ms"),
                None => "–".to_owned(),
            };
            let mut row = plain(&format!("{client} latency, {name}"), words(a), words(b));
            if let (Some(from), Some(to)) = (a, b) {
                // Latency depends on the machine: shown, never judged.
                row.change = change(from, to).0;
            }
            rows.push(row);
        }
    }
    rows
}

/// The median second's value, or the worst second's.
fn figure(suite: &SuiteRecord, client: &str, index: usize, worst: bool) -> Option<f64> {
    let samples = suite.samples.get(client)?;
    let mut all: Vec<f64> = samples
        .iter()
        .filter_map(|(_, s)| Some(s.latency_ms?[index]))
        .filter(|v| v.is_finite())
        .collect();
    all.sort_by(f64::total_cmp);
    if worst { all.last().copied() } else { all.get(all.len() / 2).copied() }
}
