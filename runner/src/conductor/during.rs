//! Steps that break something and mend it themselves. A fault with `for` or `during` begins, then its steps run and its
//! time passes side by side, then it ends. Whatever cuts off such a step, or another that leaves nothing broken when
//! it is done, or a fault of a `chaos`: what it did is undone, here and nowhere else.

use std::time::{Duration, Instant};

use kplan_dsl::{StepHead, Verb};

use crate::{
    conductor::{
        Tally,
        step::{Flow, limited, run_list, skip},
    },
    stage::outcome::{Done, StepError},
    steps::{self, Cx, lasting},
};

/// Carries a step out. Returns what became of it, and why the rest of the plan is skipped if a step inside it
/// ended it.
pub async fn carry_out(
    cx: &Cx<'_>,
    flow: &Flow,
    tally: &Tally,
) -> (Result<Done, StepError>, Option<String>) {
    if let Verb::Chaos(args) = cx.verb {
        return (steps::chaos(args, cx, flow).await, None);
    }
    if !lasting::passes(cx.verb) {
        let done = limited(cx, steps::carry_out(cx), flow).await;
        return (settled(cx, flow, done).await, None);
    }
    let lasted = match limited(cx, lasting::begin(cx), flow).await {
        Ok(()) => in_force_for(cx, flow, tally).await,
        Err(error) => {
            let reason = format!("step {} could not be carried out", cx.id);
            let steps = cx.verb.during();
            steps.iter().for_each(|step| skip(cx.stage, step, flow, &reason, tally));
            Err(error)
        }
    };
    let mut stopped = None;
    let lasted = lasted.map(|why| {
        stopped = why;
        Done::default()
    });
    (settled(cx, flow, lasted).await, stopped)
}

/// What a step was, once nothing is left of what it broke. A fault whose time is over is undone; so is what any other
/// left when it did not come to its end.
pub async fn settled(
    cx: &Cx<'_>,
    flow: &Flow,
    done: Result<Done, StepError>,
) -> Result<Done, StepError> {
    match done {
        Ok(done) if lasting::passes(cx.verb) => undo(cx, flow).await.map(|()| done),
        Err(error) if lasting::mends_itself(cx.verb) => {
            Err(lasting::both(cx, error, undo(cx, flow).await))
        }
        done => done,
    }
}

/// Whatever ended the steps or the time (a failure, a limit, the first signal), or cut off the beginning, the
/// fault is undone: the step's own limit is not that of its undoing.
async fn undo(cx: &Cx<'_>, flow: &Flow) -> Result<(), StepError> {
    let flow = Flow { deadline: None, finally: true, around: None, ..flow.clone() };
    let head = StepHead { timeout: None, ..cx.head.clone() };
    let cx = Cx { head: &head, ..*cx };
    limited(&cx, lasting::end(&cx), &flow).await
}

/// Runs the steps; if they end before the time of `for`, waits for the rest of it, unless one of them
/// ended the plan.
async fn in_force_for(
    cx: &Cx<'_>,
    flow: &Flow,
    tally: &Tally,
) -> Result<Option<String>, StepError> {
    let until = Instant::now() + cx.verb.for_time().unwrap_or(Duration::ZERO);
    let own = cx.head.timeout.as_deref().map(|limit| (Instant::now() + *limit, *limit));
    let around = flow.around.into_iter().chain(own.map(|(end, _)| end)).min();
    let inner = Flow { around, ..flow.within(cx.id, cx.head) };
    let stopped = run_list(cx.stage, cx.verb.during(), inner, tally).await;
    if stopped.is_some() {
        return Ok(stopped);
    }
    let left = until.saturating_duration_since(Instant::now());
    cx.stage.talk(cx.id, "", Some(left));
    let rest = async {
        match own {
            Some((end, limit)) if end < until => {
                tokio::time::sleep_until(end.into()).await;
                Err(StepError::TimedOut(format!("the step's limit of {limit:?} ran out")))
            }
            _ => {
                tokio::time::sleep(left).await;
                Ok(None)
            }
        }
    };
    limited(cx, rest, flow).await
}
