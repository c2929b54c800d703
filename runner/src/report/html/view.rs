//! The data for the page's template: strings and lists, nothing to compute.

use serde::Serialize;

use super::{
    anchor,
    anomalies::{AnomalyView, anomalies},
    axis::Axis,
    chart::{Chart, charts},
    headline::{Card, cards},
    lanes::{LaneView, Segment, cluster_lanes, lanes},
    loglines::{self, LogLine},
    markdown,
    story::{Happened, story},
};
use crate::{
    event::{Finding, Holds, SettingsOf, Verdict},
    out::Shown as _,
    record::{RunRecord, StepRecord, SuiteRecord},
    report::{
        logs,
        text::{bounded, clean, duration, flat_values, one_line, verdict_word},
        totals::Tally,
        trouble::{Trouble, of_step, quote, troubles},
    },
};

/// How much space one suite has.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Points of a curve.
    pub points: usize,
    /// Bytes of log lines.
    pub logs: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct SuiteView {
    pub id: String,
    pub title: String,
    pub verdict: &'static str,
    pub file: String,
    pub description: String,
    pub facts: Vec<(String, String)>,
    pub params: Vec<(String, String)>,
    pub simulated: bool,
    pub interrupted: bool,
    pub open: bool,
    pub cards: Vec<Card>,
    pub troubles: Vec<TroubleView>,
    pub ticks: Vec<(f64, String)>,
    pub shades: Vec<Segment>,
    pub lanes: Vec<LaneView>,
    pub charts: Vec<Chart>,
    pub cluster: Vec<LaneView>,
    pub story: Vec<Happened>,
    pub story_left_out: usize,
    pub anomalies: Vec<AnomalyView>,
    pub steps: Vec<StepView>,
    pub tally: String,
    pub descriptions: Vec<Described>,
    pub configured: Vec<(String, Vec<(String, String)>)>,
    pub logs: Vec<String>,
    pub seconds: i64,
    /// JSON for the script, escaped for a script element.
    pub data: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct TroubleView {
    pub kind: &'static str,
    pub optional: bool,
    pub title: String,
    pub link: String,
    pub reason: String,
    pub misses: Vec<JudgedView>,
    pub evidence: Vec<String>,
    pub place: String,
    pub lines: Vec<PlanLine>,
}

#[derive(Clone, Debug, Serialize)]
pub struct JudgedView {
    pub condition: String,
    pub class: &'static str,
    pub word: &'static str,
    pub expected: String,
    pub found: String,
    pub after: String,
    pub evidence: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PlanLine {
    pub number: u32,
    pub text: String,
    pub marked: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    pub id: String,
    pub anchor: String,
    pub title: String,
    pub round: String,
    pub verdict: &'static str,
    pub note: String,
    pub finally: bool,
    pub began: String,
    pub took: String,
    pub reason: String,
    pub targets: Vec<String>,
    pub judged: Vec<JudgedView>,
    pub recorded: Vec<(String, String)>,
    pub lines: Vec<PlanLine>,
}

/// A description that a step put into the report.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    pub title: String,
    pub step: String,
    pub when: String,
    pub html: String,
}

/// The view of a suite.
pub fn suite(record: &RunRecord, suite: &SuiteRecord, room: Room) -> SuiteView {
    let axis = Axis::new(suite);
    let (logs, left_out) = read_logs(suite, room.logs);
    let charts = charts(&axis, suite, room.points);
    let (story, story_left_out) = story(&axis, suite);
    let lanes = lanes(&axis, suite);
    let faults = lanes.iter().filter(|l| l.kind == "faults");
    let info = &suite.info;
    let facts = facts(record, suite);
    // The cluster's facts are often parameters of the plan too: they are shown once.
    let mut params = pairs(&info.params);
    params.retain(|pair| !facts.contains(pair));
    SuiteView {
        id: format!("s{}", suite.number),
        title: one_line(&suite.title(), 300),
        verdict: verdict_word(suite.verdict),
        file: one_line(&info.file.to_string_lossy(), 400),
        description: info.description.as_deref().map(markdown::render).unwrap_or_default(),
        facts,
        params,
        simulated: info.simulated,
        interrupted: suite.interrupted(),
        open: suite.verdict > Verdict::Passed || record.suites.len() <= 3,
        cards: cards(suite),
        troubles: troubles(suite).iter().map(|t| trouble(suite, t)).collect(),
        ticks: axis.ticks(),
        shades: faults.flat_map(|l| l.segments.iter().cloned()).collect(),
        data: data(suite, &charts, &logs, left_out),
        lanes,
        charts,
        cluster: cluster_lanes(&axis, suite),
        story,
        story_left_out,
        anomalies: anomalies(&axis, suite, &logs),
        steps: suite.steps.iter().map(|s| step(&axis, suite, s)).collect(),
        tally: Tally::steps(suite).words(),
        descriptions: descriptions(&axis, suite),
        configured: suite
            .configured
            .iter()
            .map(|(who, s)| (clean(&who.to_string()), pairs(s)))
            .collect(),
        logs: logs.into_iter().map(|(who, _)| who).collect(),
        seconds: axis.span_us / 1_000_000,
    }
}

fn pairs(map: &indexmap::IndexMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(k, v)| (one_line(k, 200), one_line(v, 2_000))).collect()
}

fn facts(record: &RunRecord, suite: &SuiteRecord) -> Vec<(String, String)> {
    let mut facts = vec![
        ("Plan".to_owned(), one_line(&suite.info.file.to_string_lossy(), 400)),
        ("Began".to_owned(), suite.wall(suite.started_us).strftime("%F %T UTC").to_string()),
        ("Took".to_owned(), duration(suite.took_ms())),
        ("Steps".to_owned(), Tally::steps(suite).words()),
    ];
    facts.extend(suite.configured.get(&SettingsOf::Cluster).map(pairs).unwrap_or_default());
    if !suite.info.tags.is_empty() {
        facts.push(("Tags".to_owned(), one_line(&suite.info.tags.join(", "), 300)));
    }
    if let Some(tried) = record.tried(suite) {
        facts.push(("Tried".to_owned(), tried));
    }
    facts
}

fn trouble(suite: &SuiteRecord, trouble: &Trouble<'_>) -> TroubleView {
    let (from, end) =
        trouble.step.map_or((trouble.line, trouble.line), |s| (s.info.line, s.info.end_line));
    let marked: Vec<u32> = trouble.misses.iter().map(|m| m.line).collect();
    let reason = trouble.step.and_then(|s| s.reason.as_deref());
    let reason = match trouble.misses.is_empty() {
        true => reason.unwrap_or(&trouble.message),
        false => reason.unwrap_or_default(),
    };
    TroubleView {
        kind: trouble.kind.word(),
        optional: trouble.optional,
        title: one_line(&trouble.title, 200),
        link: trouble.step.map(|s| anchor("step", &s.id.to_string())).unwrap_or_default(),
        reason: bounded(&clean(reason), 8_000),
        misses: trouble.misses.iter().map(|m| judged(m)).collect(),
        evidence: some(trouble.evidence),
        place: clean(&format!("{}:{}", trouble.file.shown(), trouble.line)),
        lines: plan_lines(suite, trouble.file, from, end, &marked),
    }
}

fn plan_lines(
    suite: &SuiteRecord,
    file: &std::path::Path,
    from: u32,
    end: u32,
    marked: &[u32],
) -> Vec<PlanLine> {
    let line = |(number, text): (u32, String)| PlanLine {
        number,
        text: text.chars().take(400).collect(),
        marked: marked.contains(&number),
    };
    quote(suite, file, from, end).into_iter().map(line).collect()
}

fn some(evidence: &[String]) -> Vec<String> {
    let mut some: Vec<_> = evidence.iter().take(40).map(|e| one_line(e, 600)).collect();
    if evidence.len() > some.len() {
        some.push(format!("{} more", evidence.len() - some.len()));
    }
    some
}

fn judged(finding: &Finding) -> JudgedView {
    let (class, word) = match finding.holds {
        Holds::Yes => ("passed", "holds"),
        Holds::No => ("failed", "does not hold"),
        Holds::Inconclusive => ("failed", "inconclusive"),
        Holds::Unjudged => ("plain", "recorded"),
    };
    JudgedView {
        condition: one_line(&finding.condition, 300),
        class,
        word,
        expected: one_line(&finding.expected, 400),
        found: one_line(&finding.found, 600),
        after: finding.after_ms.map(duration).unwrap_or_default(),
        evidence: some(&finding.evidence),
    }
}

fn step(axis: &Axis<'_>, suite: &SuiteRecord, step: &StepRecord) -> StepView {
    let kind = of_step(step).map(|t| t.kind.word()).filter(|w| *w != verdict_word(step.verdict));
    let mut notes: Vec<&str> = kind.into_iter().collect();
    if step.optional && step.verdict > Verdict::Passed {
        notes.push("optional");
    }
    let marked: Vec<u32> = step.misses().map(|m| m.line).collect();
    let info = &step.info;
    StepView {
        id: step.id.to_string(),
        anchor: anchor("step", &step.id.to_string()),
        title: one_line(&info.title, 300),
        round: step.id.round(),
        verdict: verdict_word(step.verdict),
        note: notes.join(", "),
        finally: info.finally,
        began: step.started_us.map(|at| axis.offset(at)).unwrap_or_default(),
        took: step.started_us.map(|_| duration(step.took_ms)).unwrap_or_default(),
        reason: bounded(&clean(step.reason.as_deref().unwrap_or_default()), 8_000),
        targets: step
            .targets
            .iter()
            .map(|(target, nodes)| one_line(&format!("{target} → {}", nodes.join(", ")), 300))
            .collect(),
        judged: step.findings.iter().map(judged).collect(),
        recorded: flat_values(&step.recorded)
            .into_iter()
            .take(200)
            .map(|(k, v)| (one_line(&k, 200), one_line(&v, 400)))
            .collect(),
        lines: plan_lines(suite, &info.file, info.line, info.end_line, &marked),
    }
}

fn descriptions(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<Described> {
    let of_step = |step: &StepRecord| {
        let when = step.started_us.map(|at| axis.moment(at)).unwrap_or_default();
        let id = anchor("step", &step.id.to_string());
        let view = move |(title, text): &(String, String)| Described {
            title: one_line(title, 200),
            step: id.clone(),
            when: when.clone(),
            html: markdown::render(&bounded(text, 32 << 10)),
        };
        step.descriptions.iter().map(view).collect::<Vec<_>>()
    };
    suite.steps.iter().flat_map(of_step).take(60).collect()
}

type Logs = Vec<(String, Vec<LogLine>)>;

/// The log lines around everything that matters, and how many lines were left out.
fn read_logs(suite: &SuiteRecord, room: usize) -> (Logs, u64) {
    let files = logs::of_suite(suite);
    let mut moments: Vec<i64> = suite
        .faults
        .iter()
        .flat_map(|f| [Some(f.from_us), f.until_us])
        .chain(suite.anomalies.iter().flat_map(|a| a.examples.iter().map(|e| e.mono_us)))
        .chain(suite.steps.iter().filter(|s| of_step(s).is_some()).map(|s| s.ended_us))
        .flatten()
        .map(|at| suite.wall(at).as_millisecond())
        .collect();
    moments.sort_unstable();
    let each = room / files.len().max(1);
    let mut left_out = 0;
    let read = files.iter().map(|file| {
        let lines = loglines::read(file, &moments, each);
        left_out += lines.left_out;
        (clean(&file.who), lines.lines)
    });
    (read.collect(), left_out)
}

/// What the page's script needs: curves and log lines.
fn data(suite: &SuiteRecord, charts: &[Chart], logs: &Logs, left_out: u64) -> String {
    let curves: Vec<_> = charts
        .iter()
        .flat_map(|chart| chart.curves.iter().map(move |c| (&chart.unit, &chart.title, c)))
        .map(|(unit, chart, c)| {
            serde_json::json!({ "name": c.name, "unit": unit, "chart": chart, "points": c.points })
        })
        .collect();
    let mut lines: Vec<_> = (0..)
        .zip(logs)
        .flat_map(|(who, (_, lines))| lines.iter().map(move |l| (l.at_ms, who, l)))
        .collect();
    lines.sort_by_key(|(at, who, _)| (*at, *who));
    let begin = suite.wall(suite.started_us).as_millisecond();
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(at, who, l): (Option<i64>, usize, _)| {
            serde_json::json!([at.map(|at| at - begin), who, l.level, l.text])
        })
        .collect();
    let data = serde_json::json!({
        "begin": begin,
        "span": (suite.until_us() - suite.started_us).max(1_000_000) / 1_000,
        "curves": curves,
        "who": logs.iter().map(|(who, _)| who).collect::<Vec<_>>(),
        "lines": lines,
        "leftOut": left_out,
    });
    // Inside a script element only `<` could end it or begin a comment.
    data.to_string().replace('<', "\\u003c")
}
