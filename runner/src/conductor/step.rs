//! One step: whether it runs, its limit, its expected error, and whether its failure ends the plan.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use kplan_dsl::{
    facts::Kind,
    plan::{ReadyStep, Step, StepHead},
};

use crate::{
    conductor::{Tally, during},
    event::{Event, Finding, Holds, StepEnded, StepRun, Verdict},
    history::now_us,
    stage::{
        Stage,
        outcome::{Done, KafkaCause, PlanCause, StepError, expect_error},
    },
    steps::{self, Cx, Inside, limits::Surroundings},
};

/// What surrounds a list of steps.
#[derive(Clone)]
pub struct Flow {
    /// What may cut them off.
    pub around: Surroundings,
    /// Rounds of the repeats around it, from 1, from the outside in.
    pub rounds: Vec<u32>,
    /// The step that they are in.
    pub within: Option<StepRun>,
    /// A step around them is optional: their findings are only reported.
    pub optional: bool,
}

impl Flow {
    /// For the steps in a step.
    pub fn within(&self, id: &StepRun, head: &StepHead) -> Self {
        let optional = self.optional || head.optional;
        Self { within: Some(id.clone()), optional, ..self.clone() }
    }
}

/// Runs steps one after the other. Returns why the rest of the plan is skipped, if it is.
pub fn run_list<'a>(
    stage: &'a Arc<Stage>,
    steps: &'a [Step],
    flow: Flow,
    tally: &'a Tally,
) -> BoxFuture<'a, Option<String>> {
    async move {
        let mut stopped: Option<String> = None;
        for step in steps {
            if let Some(reason) = &stopped {
                skip(stage, step, &flow, reason, tally);
                continue;
            }
            stopped = run_one(stage, step, &flow, tally).await;
        }
        stopped
    }
    .boxed()
}

/// Reports that a step and the steps in it did not run.
pub fn skip(stage: &Stage, step: &Step, flow: &Flow, reason: &str, tally: &Tally) {
    let id = listed(stage, step, flow);
    tally.skipped(step);
    let ended = ended(&id, &step.head, Verdict::Skipped, 0);
    stage
        .tell
        .emit(Event::StepEnded(Box::new(StepEnded { reason: Some(reason.to_owned()), ..ended })));
    for inner in step.inside_once() {
        skip(stage, inner, flow, reason, tally);
    }
}

/// A step's id in the events; its title is recorded with it.
fn listed(stage: &Stage, step: &Step, flow: &Flow) -> StepRun {
    let id = StepRun::new(&step.head.id, &flow.rounds);
    // The suite lists the steps of first rounds only.
    if !id.rounds().is_empty() {
        let info = Box::new(stage.step_info(&step.head, step.title(), flow.around.finally));
        stage.tell.emit(Event::StepListed { step: id.clone(), info });
    }
    id
}

async fn run_one(stage: &Arc<Stage>, step: &Step, flow: &Flow, tally: &Tally) -> Option<String> {
    let began_us = now_us();
    let ready = ready(stage, step);
    if matches!(ready, Ok(None)) {
        skip(stage, step, flow, "its `when` is false", tally);
        return None;
    }
    let id = listed(stage, step, flow);
    let ready = match ready {
        Ok(Some(ready)) => ready,
        Ok(None) => return None,
        Err(error) => {
            stage.tell.emit(Event::StepStarted { step: id.clone() });
            return conclude(stage, &id, &step.head, began_us, Err(error), (tally, flow));
        }
    };
    if let Some(around) = &flow.within {
        stage.breaks.runs_in(&id, around);
    }
    stage.step_began(&id, ready.head.name.as_ref().map(|n| n.as_str()), began_us);
    stage.tell.emit_at(began_us, Event::StepStarted { step: id.clone() });
    let result = if let Some(inner) = steps::act_of(&ready.verb).inside() {
        let stopped = run_flow(stage, inner, &flow.within(&id, &ready.head), tally).await;
        let verdict = stopped.as_ref().map_or(Verdict::Passed, |_| verdict_around(tally));
        let end = ended(&id, &ready.head, verdict, took(began_us));
        let reason = stopped.clone().map(|s| format!("ended early: {s}"));
        stage.tell.emit(Event::StepEnded(Box::new(StepEnded { reason, ..end })));
        stage.timeline.ended(&id, now_us());
        return stopped.filter(|_| ends_the_plan(stage, &ready.head));
    } else {
        let cx = Cx {
            stage,
            head: &ready.head,
            verb: &ready.verb,
            id: &id,
            began_us,
            around: flow.around,
        };
        let (result, stopped) = during::carry_out(&cx, flow, tally).await;
        if let Some(stopped) = stopped {
            let trouble = stands(stage, &ready.head, result).await.err();
            trouble.iter().for_each(|error| stage.tells(error));
            return ended_early(&cx, &stopped, trouble, tally);
        }
        result
    };
    stage.timeline.ended(&id, now_us());
    let result = stands(stage, &ready.head, result).await;
    if let Err(error) = &result {
        stage.tells(error);
    }
    let result = match &ready.head.expect_error {
        Some(expected) => expect_error(expected, result),
        None => result,
    };
    conclude(stage, &id, &ready.head, began_us, result, (tally, flow))
}

/// The verdict of a step whose own steps were ended early.
fn verdict_around(tally: &Tally) -> Verdict {
    // A failure of the rig is no failure of the steps around it.
    if tally.verdict() == Verdict::Broken { Verdict::Broken } else { Verdict::Failed }
}

/// The end of a fault in which a step ended the plan: its own end is only reported.
fn ended_early(
    cx: &Cx<'_>,
    stopped: &str,
    trouble: Option<StepError>,
    tally: &Tally,
) -> Option<String> {
    let stage = cx.stage;
    let mut end = ended(cx.id, cx.head, verdict_around(tally), took(cx.began_us));
    let mut reason = format!("ended early: {stopped}");
    if let Some(error) = trouble {
        reason.push_str("; then the fault could not be undone");
        error.words().into_iter().for_each(|words| reason.push_str(&format!(": {words}")));
        end.verdict = end.verdict.max(error.verdict());
        end.cause = error.cause();
        tally.count(cx.head.word, &end);
    }
    end.reason = Some(reason);
    stage.tell.emit(Event::StepEnded(Box::new(end)));
    stage.timeline.ended(cx.id, now_us());
    Some(stopped.to_owned()).filter(|_| ends_the_plan(stage, cx.head))
}

/// Whether the end of a step also ends the steps after it. A signal ends them all.
fn ends_the_plan(stage: &Stage, head: &StepHead) -> bool {
    !head.optional || stage.run.interrupt.signal().is_some()
}

/// The step with its late arguments read, or none if its `when` is false.
fn ready<'s>(stage: &Stage, step: &'s Step) -> Result<Option<ReadyStep<'s>>, StepError> {
    let values = Arc::new(stage.values());
    let wrong = |text: String| StepError::Plan(PlanCause::Expression(text));
    if let Some(when) = &step.head.when {
        if let Some(why) = stage.captures.unknown_in(when.text()) {
            return Err(StepError::Judged(vec![unknown_value(step, why)]));
        }
        match when.eval(&values) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(diagnostic) => return Err(wrong(diagnostic.message.to_string())),
        }
    }
    let mut late = step.late_expressions().into_iter();
    if let Some(why) = late.find_map(|expression| stage.captures.unknown_in(&expression)) {
        return Err(StepError::Judged(vec![unknown_value(step, why)]));
    }
    let finished = step.finish(&values);
    // Also if it cannot be read: the error message may show the value.
    step.secrets().iter().for_each(|secret| crate::secrets::hide(secret));
    finished
        .map(Some)
        .map_err(|all| all.iter().map(|d| d.message.to_string()).collect::<Vec<_>>().join("; "))
        .map_err(wrong)
}

/// The finding for a step that needs a value which an earlier step could not measure.
fn unknown_value(step: &Step, why: String) -> Finding {
    Finding {
        condition: step.head.word.to_owned(),
        line: step.head.lines.0,
        holds: Holds::Inconclusive,
        expected: "the captured values that the step uses are known".to_owned(),
        found: why,
        evidence: Vec::new(),
        after_ms: None,
    }
}

async fn run_flow(
    stage: &Arc<Stage>,
    inner: Inside<'_>,
    flow: &Flow,
    tally: &Tally,
) -> Option<String> {
    match inner {
        Inside::Once(steps) => run_list(stage, steps, flow.clone(), tally).await,
        Inside::Branches(branches) => {
            let all = branches.into_iter().map(|steps| run_list(stage, steps, flow.clone(), tally));
            // All branches finish; the first one that was stopped names the reason.
            futures::future::join_all(all).await.into_iter().flatten().next()
        }
        Inside::Rounds(rounds) => {
            for (round, steps) in (1..).zip(rounds) {
                let mut inner = flow.clone();
                inner.rounds.push(round);
                let stopped = run_list(stage, steps, inner, tally).await;
                if stopped.is_some() {
                    return stopped;
                }
            }
            None
        }
    }
}

/// Turns a failure into one of the rig if a broker was ended from outside; adds a broker that ended by itself as
/// evidence.
async fn stands(
    stage: &Stage,
    head: &StepHead,
    result: Result<Done, StepError>,
) -> Result<Done, StepError> {
    let Err(error) = result else { return result };
    if matches!(error, StepError::Rig(_) | StepError::Interrupted) {
        return Err(error);
    }
    let death = stage.rig_stands_closely().await?;
    let beside = matches!(error, StepError::Plan(_) | StepError::Kafka(KafkaCause::Died(_)));
    // An expected error does not cover a node that ended at the same time.
    if let Some(death) = death.as_ref().filter(|_| !beside && head.expect_error.is_none()) {
        stage.ended.tell(death.node);
    }
    Err(match (error, death) {
        (error @ (StepError::Judged(_) | StepError::Unproven(_)), Some(death)) => {
            let mut findings = error.into_findings();
            let wrong = findings.iter_mut().filter(|f| f.holds != Holds::Yes);
            // One finding shows the log, the others only how the node ended.
            let mut reported = death.evidence();
            for finding in wrong {
                finding.evidence.append(&mut reported);
                reported = vec![death.words()];
            }
            StepError::Judged(findings)
        }
        (StepError::TimedOut(text), Some(death)) => {
            // An expected error is not looked for in a log.
            let reported = match head.expect_error {
                Some(_) => death.words(),
                None => death.to_string(),
            };
            StepError::TimedOut(format!("{text}; {reported}"))
        }
        (error @ StepError::Kafka(KafkaCause::Died(_)), _) => error,
        (StepError::Kafka(cause), Some(death)) => {
            StepError::Kafka(KafkaCause::After { cause: Box::new(cause), death })
        }
        (error, _) => error,
    })
}

fn conclude(
    stage: &Stage,
    id: &StepRun,
    head: &StepHead,
    began_us: i64,
    result: Result<Done, StepError>,
    (tally, flow): (&Tally, &Flow),
) -> Option<String> {
    let mut event = ended(id, head, Verdict::Passed, took(began_us));
    event.optional |= flow.optional;
    let mut stops = None;
    match result {
        Ok(done) => {
            if let (Some(name), Some(value)) = (&head.capture, done.captured) {
                stage.captures.set(name, value);
            }
            event.findings = done.findings;
        }
        Err(error) => {
            event.verdict = error.verdict();
            event.cause = error.cause();
            event.reason = error.words();
            let title = format!("step {id} ({})", head.word);
            match error {
                error @ (StepError::Judged(_) | StepError::Unproven(_)) => {
                    let judges = head.facts.kind == Kind::Judgement;
                    // A judgement that ends the plan had waited for its conditions.
                    event.timed_out = judges && !head.facts.goes_on;
                    let goes_on = head.facts.goes_on || head.expect_error.is_some();
                    event.findings = error.into_findings();
                    stops = (!goes_on).then(|| format!("{title} did not hold"));
                }
                error @ (StepError::Kafka(_)
                | StepError::Plan(_)
                | StepError::Service(_)
                | StepError::Rig(_)) => {
                    let goes_on = error.goes_on();
                    stops = (!goes_on).then(|| format!("{title} could not be carried out"));
                }
                StepError::TimedOut(_) => {
                    event.timed_out = true;
                    stops = Some(format!("{title} took too long"));
                }
                StepError::Interrupted => {
                    let signal = stage.run.interrupt.signal().unwrap_or("a signal");
                    event.reason = Some(format!("interrupted by {signal}"));
                    stops = Some(format!("interrupted by {signal}"));
                }
            }
        }
    }
    for finding in event.findings.iter_mut().filter(|f| f.line == 0) {
        finding.line = head.lines.0;
    }
    stage.tell_measured(id);
    tally.count(head.word, &event);
    stage.tell.emit(Event::StepEnded(Box::new(event)));
    stops.filter(|_| ends_the_plan(stage, head))
}

fn ended(id: &StepRun, head: &StepHead, verdict: Verdict, took_ms: u64) -> StepEnded {
    StepEnded {
        step: id.clone(),
        verdict,
        took_ms,
        findings: Vec::new(),
        reason: None,
        optional: head.optional,
        timed_out: false,
        cause: None,
    }
}

fn took(began_us: i64) -> u64 {
    u64::try_from((now_us() - began_us) / 1_000).unwrap_or(0)
}
