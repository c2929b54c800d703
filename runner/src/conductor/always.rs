//! `always`: conditions that are judged repeatedly from when they become checkable; the first violation is
//! recorded with its time and fails the plan.

use std::{sync::Arc, time::Duration};

use kplan_dsl::plan::Always as Rule;
use tokio::task::JoinHandle;

use crate::{
    conditions::Looked,
    event::{Finding, Holds, Reason, ReasonKind, StepRun},
    history::now_us,
    stage::{
        Stage,
        judge::{Judge, Looking},
        outcome::StepError,
    },
};

/// How often each rule is judged.
const POLL: Duration = Duration::from_millis(100);
/// The same for rules that need an audit.
const POLL_AUDIT: Duration = Duration::from_secs(5);

/// The watchers of a plan's `always` rules.
pub struct Always(Vec<JoinHandle<Outcome>>, tokio_util::sync::CancellationToken);

/// The result of one rule.
enum Outcome {
    Held,
    /// It is always true: it judged nothing.
    JudgedNothing,
    Violated(Reason),
    Unproven(Reason),
}

impl Always {
    /// Starts one watcher for each rule.
    pub fn start(stage: &Arc<Stage>) -> Self {
        let end = tokio_util::sync::CancellationToken::new();
        let watchers = stage.plan.always.iter().cloned().map(|rule| {
            let (stage, end) = (stage.clone(), end.clone());
            tokio::spawn(async move { watch(&stage, &rule, &end).await })
        });
        Self(watchers.collect(), end)
    }

    /// The steps are done: each rule is judged a last time. Returns how many held, and what did not. After a second
    /// interruption the run does not wait for a rule that reads a long log.
    pub async fn end(self, now: &tokio_util::sync::CancellationToken) -> (u32, Vec<Reason>) {
        self.1.cancel();
        let mut held = 0;
        let mut reasons = Vec::new();
        for mut watcher in self.0 {
            let ended = tokio::select! {
                ended = &mut watcher => ended,
                () = now.cancelled() => {
                    watcher.abort();
                    continue;
                }
            };
            match ended {
                Ok(Outcome::Held) => held += 1,
                Ok(Outcome::JudgedNothing) => {}
                Ok(Outcome::Violated(reason) | Outcome::Unproven(reason)) => reasons.push(reason),
                Err(error) => reasons.push(Reason::new(
                    ReasonKind::Rig,
                    format!("a watcher of `always` failed: {error}"),
                )),
            }
        }
        (held, reasons)
    }
}

async fn watch(stage: &Stage, rule: &Rule, end: &tokio_util::sync::CancellationToken) -> Outcome {
    if rule.that.iter().all(|c| c.constant() == Some(true)) {
        return Outcome::JudgedNothing;
    }
    let poll = if rule.that.iter().any(|c| c.reads_log()) { POLL_AUDIT } else { POLL };
    let (begun, step) = (now_us(), StepRun::from("always"));
    let mut covered = Covered::new(rule);
    loop {
        let over =
            end.is_cancelled() || rule.to.as_ref().is_some_and(|s| stage.timeline.has_begun(s));
        // Rules are not judged while the brokers are being started.
        if let Some(from_us) = from(stage, rule).filter(|_| stage.place.is_up()) {
            let judge = Judge {
                stage,
                step: &step,
                began_us: from_us.unwrap_or(begun),
                record: false,
                since: None,
                look_us: begun,
                looking: Looking::Throughout { last: over },
                faults_from_us: from_us.unwrap_or(i64::MIN),
            };
            match judge.look(&rule.that).await {
                Ok(looked) => {
                    if let Some(bad) = looked.iter().find(|l| l.finding.holds == Holds::No) {
                        return Outcome::Violated(violation(stage, &bad.finding, begun));
                    }
                    covered.looked(&looked, seconds(begun));
                }
                // Without a cluster there is nothing to judge, before its start or after its end.
                Err(_) if stage.running().is_err() => {}
                Err(error) => covered.failed(&error, seconds(begun)),
            }
        }
        if over {
            return covered.end(stage, rule);
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

fn seconds(begun: i64) -> f64 {
    (now_us() - begun) as f64 / 1e6
}

/// Since when the rule is judged: the end of its `from`, if it has one; none before that.
fn from(stage: &Stage, rule: &Rule) -> Option<Option<i64>> {
    let Some(step) = &rule.from else { return Some(None) };
    let times = stage.timeline.named(step).and_then(|id| stage.timeline.times(&id))?;
    times.ended_us.map(Some)
}

/// Which part of a rule's time was judged.
struct Covered {
    /// For each condition: whether a later look can judge what an earlier one could not.
    again: Vec<bool>,
    /// The rule has a `from`: all time from there must be judged.
    from: bool,
    /// Each condition was judged at least once.
    judged: Vec<bool>,
    /// For each condition the newest look that proved nothing.
    open: Vec<Option<String>>,
    /// A gap that no later look can close, with its kind.
    hole: Option<(ReasonKind, String)>,
}

impl Covered {
    fn new(rule: &Rule) -> Self {
        Self {
            again: rule.that.iter().map(|c| c.judges_again()).collect(),
            from: rule.from.is_some(),
            judged: vec![false; rule.that.len()],
            open: vec![None; rule.that.len()],
            hole: None,
        }
    }

    fn looked(&mut self, looked: &[Looked], at: f64) {
        for (number, look) in looked.iter().enumerate() {
            let known = look.finding.holds != Holds::Inconclusive;
            if known {
                self.judged[number] = true;
                self.open[number] = None;
                continue;
            }
            let why = format!(
                "{}: {} ({at:.1} s into the plan)",
                look.finding.expected, look.finding.found
            );
            let begun = self.judged[number] || self.from;
            if begun && look.covers && !self.again[number] {
                self.hole.get_or_insert((ReasonKind::Inconclusive, why.clone()));
            }
            // The judged time ended before: the earlier result stands.
            if look.covers || !self.judged[number] {
                self.open[number] = Some(why);
            }
        }
    }

    /// A look failed: its time was not judged.
    fn failed(&mut self, error: &StepError, at: f64) {
        let Some(text) = error.words() else { return };
        let kind = match error {
            StepError::Rig(_) => ReasonKind::Rig,
            _ => ReasonKind::Inconclusive,
        };
        let begun = self.from || self.judged.contains(&true);
        if begun {
            let text = format!("a look failed: {text} ({at:.1} s into the plan)");
            self.hole.get_or_insert((kind, text));
        } else {
            self.open.iter_mut().for_each(|open| *open = Some(text.clone()));
        }
    }

    fn end(self, stage: &Stage, rule: &Rule) -> Outcome {
        let line = Some(stage.line_of(rule.span.span));
        let reason = |kind, text: String| {
            Outcome::Unproven(Reason { kind, text, evidence: Vec::new(), line })
        };
        if let Some((kind, why)) = self.hole {
            return reason(kind, format!("inconclusive: always was not judged throughout: {why}"));
        }
        let unjudged = self.judged.iter().any(|judged| !judged);
        let open = missing(stage, rule).or_else(|| self.open.into_iter().flatten().next());
        match (unjudged, open) {
            (false, None) => Outcome::Held,
            (true, why) => {
                let why = why.unwrap_or_else(|| "it never became checkable".to_owned());
                reason(
                    ReasonKind::Inconclusive,
                    format!("inconclusive: always was never judged: {why}"),
                )
            }
            (false, Some(why)) => reason(
                ReasonKind::Inconclusive,
                format!("inconclusive: always was not judged to its end: {why}"),
            ),
        }
    }
}

/// The step that should have begun or ended the rule's time, but did not run.
fn missing(stage: &Stage, rule: &Rule) -> Option<String> {
    let step = rule.from.iter().chain(&rule.to).find(|step| !stage.timeline.has_begun(step))?;
    Some(format!("step \"{}\" did not run", step.value))
}

fn violation(stage: &Stage, bad: &Finding, begun: i64) -> Reason {
    let seconds = seconds(begun);
    let mut text =
        format!("always: {}: {} (first seen {seconds:.1} s into the plan", bad.expected, bad.found);
    if let Some(step) = stage.timeline.newest() {
        text.push_str(&format!(", during step {step}"));
    }
    text.push(')');
    Reason {
        kind: ReasonKind::Violated,
        text,
        evidence: bad.evidence.clone(),
        line: Some(bad.line),
    }
}
