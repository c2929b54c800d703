//! `always`: conditions judged all the time, from when they become checkable; the first violation is
//! timed and fails the plan.

use std::{sync::Arc, time::Duration};

use kplan_dsl::plan::Always as Rule;
use tokio::task::JoinHandle;

use crate::{
    conditions,
    conductor::{judge::Judge, stage::Stage},
    event::{Finding, Holds, Reason, ReasonKind},
    history::now_us,
};

/// How often each rule is judged.
const POLL: Duration = Duration::from_millis(100);
/// The same for rules that need an audit.
const POLL_AUDIT: Duration = Duration::from_secs(5);

/// The watchers of a plan's `always` rules.
pub struct Always(Vec<JoinHandle<Outcome>>, tokio_util::sync::CancellationToken);

/// What became of one rule.
enum Outcome {
    Held,
    Violated(Reason),
    NeverJudged(Reason),
}

impl Always {
    /// Starts one watcher for each rule.
    #[must_use]
    pub fn start(stage: &Arc<Stage>) -> Self {
        let end = tokio_util::sync::CancellationToken::new();
        let watchers = stage.plan.always.iter().cloned().map(|rule| {
            let (stage, end) = (stage.clone(), end.clone());
            tokio::spawn(async move { watch(&stage, &rule, &end).await })
        });
        Self(watchers.collect(), end)
    }

    /// The steps are done: the rules' last look is now. Returns how many held, and what did not. Who
    /// interrupts the run twice does not wait for a rule that reads a long log.
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
                Ok(Outcome::Violated(reason) | Outcome::NeverJudged(reason)) => {
                    reasons.push(reason)
                }
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
    let poll = if rule.that.iter().any(|c| conditions::needs_audit(c)) { POLL_AUDIT } else { POLL };
    let begun = now_us();
    let mut judged = false;
    let mut last: Option<Finding> = None;
    loop {
        let over = end.is_cancelled() || rule.to.as_ref().is_some_and(|s| stage.has_begun(s));
        if rule.from.as_ref().is_none_or(|s| stage.has_ended(s)) {
            let judge = Judge {
                stage,
                step: "always",
                began_us: begun,
                record: false,
                since: None,
                look_us: begun,
            };
            // Without a cluster nothing can be asked yet; after its end nothing more.
            if let Ok(findings) = judge.now(&rule.that).await {
                judged |= findings.iter().all(|f| matches!(f.holds, Holds::Yes | Holds::No));
                if let Some(bad) = findings.iter().find(|f| f.holds == Holds::No) {
                    return Outcome::Violated(violation(stage, bad, begun));
                }
                last = findings.into_iter().find(|f| f.holds == Holds::Inconclusive).or(last);
            }
        }
        if over {
            return if judged {
                Outcome::Held
            } else {
                Outcome::NeverJudged(never(stage, rule, last))
            };
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

fn violation(stage: &Stage, bad: &Finding, begun: i64) -> Reason {
    let now = now_us();
    let seconds = (now - begun) as f64 / 1e6;
    let mut text =
        format!("always: {}: {} (first seen {seconds:.1} s into the plan", bad.expected, bad.found);
    if let Some(step) = stage.newest_step() {
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

fn never(stage: &Stage, rule: &Rule, last: Option<Finding>) -> Reason {
    let why = last.map_or_else(|| "it never became checkable".to_owned(), |f| f.found);
    let text = format!("inconclusive: always was never judged: {why}");
    let line = Some(stage.line_of(rule.span.span));
    Reason { kind: ReasonKind::Inconclusive, text, evidence: Vec::new(), line }
}
