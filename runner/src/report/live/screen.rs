//! The lines of the live terminal, made from events.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::{Live, Words};
use crate::{
    event::{
        Event, FaultPhase, Holds, LaneState, Sample, Stamped, StepEnded, StepRun, SuiteId, Verdict,
    },
    out::paint,
    record,
    report::{
        terminal::{BOLD, DIM, verdict_style},
        text::{duration, one_line, verdict_word},
        trouble::miss_line,
    },
};

/// Widest suite's name before a line, when several run at once.
const PREFIX: usize = 28;
/// Widest step's title.
const TITLE: usize = 60;
/// For how many microseconds a traffic sample is shown.
const FRESH_US: i64 = 3_000_000;

/// The state behind the lines.
#[derive(Debug)]
pub struct Screen {
    words: Words,
    live: Live,
    suites: BTreeMap<SuiteId, Suite>,
    now_us: i64,
    /// The most attempts of a suite.
    attempts: u32,
}

#[derive(Debug, Default)]
struct Suite {
    title: String,
    attempt: u32,
    titles: IndexMap<StepRun, String>,
    /// Steps in flight with their begins, innermost last.
    running: Vec<(StepRun, i64)>,
    rates: IndexMap<String, (i64, Sample)>,
    /// Clients that have sent something: during an outage they send nothing.
    producers: BTreeSet<String>,
}

impl Screen {
    /// An empty screen.
    pub fn new(words: Words, live: Live) -> Self {
        Self { words, live, suites: BTreeMap::new(), now_us: 0, attempts: 1 }
    }

    /// How much is printed.
    pub fn words(&self) -> Words {
        self.words
    }

    /// The lines for an event.
    pub fn lines(&mut self, stamped: &Stamped) -> Vec<String> {
        let at = stamped.mono_us;
        self.now_us = self.now_us.max(at);
        let alone = self.suites.len() <= 1;
        let number = stamped.suite.unwrap_or_default();
        let lines = match &stamped.event {
            Event::RunStarted(run) => {
                self.attempts = run.attempts;
                return Vec::new();
            }
            Event::SuiteStarted(info) => {
                let titles = info.steps.iter().map(|s| (s.id.clone(), s.title.clone())).collect();
                let mut title = info.name.clone();
                if !info.cell.is_empty() {
                    title.push_str(&format!(" [{}]", info.cell));
                }
                let line = paint(BOLD, &one_line(&title, 200));
                let file = paint(DIM, &one_line(&info.file.to_string_lossy(), 400));
                let suite = Suite { title, titles, attempt: info.attempt, ..Suite::default() };
                self.suites.insert(number, suite);
                let said = self.words != Words::Quiet;
                return if said { vec![format!("{line}  {file}")] } else { Vec::new() };
            }
            Event::SuiteEnded { verdict, .. } => {
                let Some(ended) = self.suites.remove(&number) else { return Vec::new() };
                let word = paint(verdict_style(*verdict), verdict_word(*verdict));
                let mut line = format!("{word}  {}", one_line(&ended.title, 200));
                let tried = record::tried(ended.attempt, self.attempts, *verdict);
                // A suite that passed only on a retry is also shown in quiet mode.
                let said =
                    self.words != Words::Quiet || *verdict > Verdict::Passed || tried.is_some();
                line.extend(tried.map(|tried| format!("  {}", paint(DIM, &tried))));
                return if said { vec![line] } else { Vec::new() };
            }
            Event::StepListed { step, info } => {
                if let Some(suite) = self.suites.get_mut(&number) {
                    suite.titles.insert(step.clone(), info.title.clone());
                }
                return Vec::new();
            }
            Event::StepStarted { step } => {
                if let Some(suite) = self.suites.get_mut(&number) {
                    suite.running.push((step.clone(), at));
                }
                return Vec::new();
            }
            Event::Sample(sample) => {
                if let Some(suite) = self.suites.get_mut(&number) {
                    if sample.sent > 0 || sample.failed > 0 {
                        suite.producers.insert(sample.client.clone());
                    }
                    suite.rates.insert(sample.client.clone(), (at, sample.clone()));
                }
                return Vec::new();
            }
            Event::StepEnded(end) => self.step_ended(number, end, stamped.at),
            other => match self.words {
                Words::Verbose => verbose(other),
                _ => return Vec::new(),
            },
        };
        let prefix = match self.suites.get(&number) {
            Some(suite) if !alone => {
                format!("{} ", paint(DIM, &format!("{}:", one_line(&suite.title, PREFIX))))
            }
            _ => String::new(),
        };
        lines.into_iter().map(|l| format!("{prefix}{l}")).collect()
    }

    fn step_ended(&mut self, number: SuiteId, end: &StepEnded, at: jiff::Timestamp) -> Vec<String> {
        self.live.done(number, &end.step);
        let Some(suite) = self.suites.get_mut(&number) else { return Vec::new() };
        suite.running.retain(|(id, _)| *id != end.step);
        if self.words == Words::Quiet && end.verdict <= Verdict::Passed {
            return Vec::new();
        }
        let word = paint(verdict_style(end.verdict), &format!("{:<7}", verdict_word(end.verdict)));
        let title = one_line(&suite.name_of(&end.step), TITLE);
        let mut line = format!("  {word} {:>4}  {title}", end.step.to_string());
        if end.verdict != Verdict::Skipped {
            // In UTC, as the logs of brokers in containers.
            let took = format!("{} · {}", duration(end.took_ms), at.strftime("%H:%M:%S"));
            line.push_str(&format!("  {}", paint(DIM, &took)));
        }
        let mut lines = vec![line];
        let misses =
            end.findings.iter().filter(|f| matches!(f.holds, Holds::No | Holds::Inconclusive));
        lines.extend(misses.map(|f| format!("               {}", miss_line(f))));
        if end.verdict != Verdict::Passed
            && let Some(reason) = &end.reason
            && (end.verdict != Verdict::Skipped || self.words == Words::Verbose)
        {
            lines.push(format!("               {}", one_line(reason, 300)));
        }
        if self.words == Words::Verbose {
            let held = end.findings.iter().filter(|f| f.holds == Holds::Yes);
            let reported = |c: &str, f: &str| one_line(&format!("{c}: {f}"), 200);
            lines.extend(held.map(|f| {
                paint(DIM, &format!("               {}", reported(&f.condition, &f.found)))
            }));
        }
        lines
    }

    /// For each running suite: what it does now.
    pub fn status(&self) -> Vec<(SuiteId, String)> {
        self.suites.iter().map(|(id, suite)| (*id, self.status_of(*id, suite))).collect()
    }

    fn status_of(&self, id: SuiteId, suite: &Suite) -> String {
        let mut parts = Vec::new();
        if self.suites.len() > 1 {
            parts.push(one_line(&suite.title, PREFIX));
        }
        let mut missing = None;
        if let Some((step, _)) = suite.running.last() {
            parts.push(one_line(&format!("{step} {}", suite.name_of(step)), TITLE));
            let [left, not_yet] = self.live.words(id, step);
            parts.extend(left);
            missing = not_yet;
        }
        let fresh = suite.rates.iter().filter(|(_, (at, _))| self.now_us - at < FRESH_US);
        parts.extend(
            fresh.map(|(client, (_, s))| rate(client, s, suite.producers.contains(client))),
        );
        parts.extend(missing.map(|m| one_line(&m, 120)));
        parts.join(" · ")
    }
}

impl Suite {
    fn name_of(&self, step: &StepRun) -> String {
        let title = self.titles.get(step).cloned().unwrap_or_else(|| step.to_string());
        match step.round() {
            round if round.is_empty() => title,
            round => format!("{title} ({round})"),
        }
    }
}

fn rate(client: &str, sample: &Sample, producer: bool) -> String {
    let verb = if producer { "acked" } else { "delivered" };
    let mut text = format!("{client} {}/s {verb}", sample.done);
    if sample.failed > 0 {
        text.push_str(&format!(", {} failed", sample.failed));
    }
    one_line(&text, 60)
}

/// The lines that only `--verbose` prints.
fn verbose(event: &Event) -> Vec<String> {
    let text = match event {
        Event::TargetResolved { target, nodes, .. } => {
            format!("target {target}: {}", nodes.join(", "))
        }
        Event::Node { node, state, why } => {
            format!("{node} {}: {}", state_word(*state), why.words)
        }
        Event::Client { client, life, state, why } => {
            format!("{client} (life {life}) {}: {}", state_word(*state), why.words)
        }
        Event::Fault { phase, what, .. } => {
            let phase = match phase {
                FaultPhase::Begins => "begins",
                FaultPhase::Ends => "ends",
            };
            format!("fault {phase}: {what}")
        }
        Event::Report { who, text } => format!("{who}: {text}"),
        Event::Note { text, .. } => format!("note: {text}"),
        Event::Audited { messages, took_ms, .. } => {
            format!("audit: {messages} messages in {}", duration(*took_ms))
        }
        _ => return Vec::new(),
    };
    vec![paint(DIM, &format!("               {}", one_line(&text, 200)))]
}

/// A process's state in a word.
pub fn state_word(state: LaneState) -> &'static str {
    match state {
        LaneState::Starting => "starting",
        LaneState::Up => "up",
        LaneState::Paused => "paused",
        LaneState::Isolated => "isolated",
        LaneState::Degraded => "degraded",
        LaneState::Stopping => "stopping",
        LaneState::Stopped => "stopped",
        LaneState::Dead => "dead",
    }
}
