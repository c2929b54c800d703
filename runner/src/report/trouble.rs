//! What went wrong in a suite, with the texts that every report uses.

use std::path::{Path, PathBuf};

use super::text::{bounded, clean, one_line, plural};
use crate::{
    cluster::backend::clean_command,
    event::{Finding, Holds, Reason, ReasonKind, Verdict},
    out::Shown as _,
    record::{KILLED_STEP, RunRecord, StepRecord, SuiteRecord},
};

/// The most lines of a plan that are quoted for one step.
const QUOTED_LINES: u32 = 40;
/// Most bytes of one piece of a body.
const PIECE: usize = 32 << 10;

/// The kind of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// An expectation did not hold.
    Failed,
    /// The evidence for a judgement was missing.
    Inconclusive,
    /// A limit ran out.
    Timeout,
    /// The rig failed.
    Broken,
}

impl TroubleKind {
    /// The kind as one word, also the `type` of a JUnit failure.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

/// One thing that went wrong.
#[derive(Clone, Debug)]
pub struct Trouble<'a> {
    /// What kind.
    pub kind: TroubleKind,
    /// The step's title, or what it is about.
    pub title: String,
    /// One line: what was expected and what was found, or the rig's error.
    pub message: String,
    /// Conditions that did not hold.
    pub misses: Vec<&'a Finding>,
    /// Evidence that belongs to no condition.
    pub evidence: &'a [String],
    /// The plan's file.
    pub file: &'a Path,
    /// The first line that it is about.
    pub line: u32,
    /// The step; none for trouble of the whole suite.
    pub step: Option<&'a StepRecord>,
    /// A failure of an optional step does not fail the plan.
    pub optional: bool,
}

/// Everything that went wrong in a suite, in the order of its steps, then of its reasons.
pub fn troubles(suite: &SuiteRecord) -> Vec<Trouble<'_>> {
    let mut all: Vec<_> = suite.steps.iter().filter_map(of_step).collect();
    all.extend(suite.reasons.iter().map(|reason| of_reason(suite, reason)));
    let in_flight = suite.steps.iter().any(|s| s.reason.as_deref() == Some(KILLED_STEP));
    if suite.interrupted() && !in_flight {
        all.push(bare(suite, TroubleKind::Broken, "the run was killed before the suite's end"));
    }
    // A suite that did not pass must never look as if it did.
    if suite.verdict >= Verdict::Failed && all.iter().all(|t| t.optional) {
        let kind = match suite.verdict {
            Verdict::Broken => TroubleKind::Broken,
            _ => TroubleKind::Failed,
        };
        all.push(bare(
            suite,
            kind,
            "the suite ended with this verdict, but no step shows the reason",
        ));
    }
    all
}

/// What went wrong in a step, if anything did.
pub fn of_step(step: &StepRecord) -> Option<Trouble<'_>> {
    let kind = match step.verdict {
        Verdict::Passed | Verdict::Skipped => return None,
        Verdict::Broken => TroubleKind::Broken,
        Verdict::Failed if step.inconclusive() => TroubleKind::Inconclusive,
        Verdict::Failed if step.timed_out => TroubleKind::Timeout,
        Verdict::Failed => TroubleKind::Failed,
    };
    let misses: Vec<_> = step.misses().collect();
    let line = misses.first().map_or(step.info.line, |f| f.line);
    Some(Trouble {
        kind,
        title: step.title(),
        message: message(step, &misses),
        misses,
        evidence: &[],
        file: &step.info.file,
        line: if line == 0 { step.info.line } else { line },
        step: Some(step),
        optional: step.optional,
    })
}

fn message(step: &StepRecord, misses: &[&Finding]) -> String {
    let mut parts: Vec<String> = misses.iter().map(|f| miss_line(f)).collect();
    if let Some(reason) = &step.reason {
        parts.push(one_line(reason, 4_000));
    }
    if parts.is_empty() {
        parts.push("failed without a reason".to_owned());
    }
    parts.join("; ")
}

/// One condition in one line.
pub fn miss_line(finding: &Finding) -> String {
    let found = match finding.holds {
        Holds::Inconclusive => "inconclusive",
        _ => "found",
    };
    let line =
        format!("{}: expected {}, {found}: {}", finding.condition, finding.expected, finding.found);
    one_line(&clean(&line), 600)
}

fn of_reason<'a>(suite: &'a SuiteRecord, reason: &'a Reason) -> Trouble<'a> {
    let kind = match reason.kind {
        ReasonKind::Violated | ReasonKind::Ended => TroubleKind::Failed,
        ReasonKind::Inconclusive => TroubleKind::Inconclusive,
        ReasonKind::TimedOut => TroubleKind::Timeout,
        ReasonKind::Interrupted | ReasonKind::Rig => TroubleKind::Broken,
    };
    let title = match reason.kind {
        ReasonKind::Violated => "a rule of `always`",
        ReasonKind::Ended => "a process that ended by itself",
        ReasonKind::Inconclusive => "the evidence",
        ReasonKind::TimedOut => "the plan's timeout",
        ReasonKind::Interrupted => "the interruption",
        ReasonKind::Rig => "the rig",
    };
    Trouble {
        title: title.to_owned(),
        evidence: &reason.evidence,
        line: reason.line.unwrap_or(1),
        ..bare(suite, kind, &reason.text)
    }
}

fn bare<'a>(suite: &'a SuiteRecord, kind: TroubleKind, text: &str) -> Trouble<'a> {
    Trouble {
        kind,
        title: "the suite".to_owned(),
        message: one_line(text, 4_000),
        misses: Vec::new(),
        evidence: &[],
        file: &suite.info.file,
        line: 1,
        step: None,
        optional: false,
    }
}

/// What went wrong with the run itself: killed, interrupted before some suites began.
pub fn of_run(record: &RunRecord) -> Option<String> {
    let unstarted = match record.unstarted() {
        0 => String::new(),
        1 => "; 1 suite never began".to_owned(),
        n => format!("; {n} suites never began"),
    };
    match &record.ended {
        None => Some(format!("the run was killed before its end{unstarted}")),
        Some(_) if record.left_something() => Some(format!(
            "not everything of the run could be removed at its end; try again with {}",
            clean_command(&record.info.backend, &record.info.run)
        )),
        Some(_) if record.failed_by_flaky() => {
            let suites = plural(record.flaky() as u64, "suite");
            Some(format!("{suites} passed only on a retry, which fails this run (--flaky fail)"))
        }
        Some(end) => {
            let signal = end.signal.as_ref()?;
            Some(format!("the run was interrupted by {signal}{unstarted}"))
        }
    }
}

/// The plan's own lines from `line` to `end_line`, numbered; empty if the text is not known.
pub fn quote(suite: &SuiteRecord, file: &Path, line: u32, end_line: u32) -> Vec<(u32, String)> {
    let text = suite.info.sources.get::<PathBuf>(&file.to_owned());
    let end = end_line.max(line).min(line.saturating_add(QUOTED_LINES - 1));
    let numbered = text.into_iter().flat_map(|t| t.lines()).zip(1u32..);
    numbered
        .skip_while(|(_, n)| *n < line)
        .take_while(|(_, n)| *n <= end)
        .map(|(text, n)| (n, clean(text)))
        .collect()
}

/// The verbs whose steps are named by what they expect.
const EXPECTING: [&str; 2] = ["assert", "wait"];

impl Trouble<'_> {
    /// What went wrong, as a heading: a step is often named by what it expects, and "failed: the lag is gone" would
    /// read as its opposite.
    pub fn heading(&self) -> String {
        let expects = self.step.is_some_and(|s| EXPECTING.contains(&s.info.verb.as_str()));
        let what = match self.kind {
            TroubleKind::Failed => "did not hold",
            TroubleKind::Inconclusive => "could not be judged",
            TroubleKind::Timeout => "did not hold in time",
            TroubleKind::Broken => return self.title.clone(),
        };
        match expects {
            true => format!("\"{}\" {what}", self.title),
            false => self.title.clone(),
        }
    }

    /// Everything as plain text: expected, found, evidence, the lines of the plan.
    pub fn body(&self, suite: &SuiteRecord) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&clean(&bounded(&text, PIECE)));
            out.push('\n');
        };
        line(format!("{}: {}", self.kind.word(), self.message));
        let reason = self.step.and_then(|s| s.reason.as_deref());
        // The message has it in one line; a rig's error may have more.
        reason.filter(|r| r.contains('\n')).into_iter().for_each(|r| line(r.to_owned()));
        for miss in &self.misses {
            line(String::new());
            line(format!("condition: {}", miss.condition));
            line(format!("expected:  {}", miss.expected));
            line(format!("{} {}", label(miss), miss.found));
            miss.evidence.iter().for_each(|e| line(format!("  - {e}")));
        }
        self.evidence.iter().for_each(|e| line(format!("  - {e}")));
        let end = self.step.map_or(self.line, |s| s.info.end_line);
        let from = self.step.map_or(self.line, |s| s.info.line);
        line(format!("\n{}:{}", self.file.shown(), self.line));
        for (number, text) in quote(suite, self.file, from, end) {
            let mark = if self.misses.iter().any(|m| m.line == number) { '>' } else { ' ' };
            line(format!("{mark}{number:>5} | {text}"));
        }
        out
    }
}

fn label(finding: &Finding) -> &'static str {
    match finding.holds {
        Holds::Inconclusive => "missing:  ",
        _ => "found:    ",
    }
}
