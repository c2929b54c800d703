//! The steps of a fault's `during`: they run while the fault is in effect.

use std::time::{Duration, Instant};

use crate::{
    conductor::{
        Tally,
        step::{Flow, run_list, skip},
    },
    stage::outcome::{Done, StepError},
    steps::{
        Cx, act_of,
        lasting::{self, settled},
        limits::{Surroundings, limited},
    },
};

/// Carries a step out. Returns its result, and why the rest of the plan is skipped if a step inside it
/// ended the plan.
pub async fn carry_out(
    cx: &Cx<'_>,
    flow: &Flow,
    tally: &Tally,
) -> (Result<Done, StepError>, Option<String>) {
    let act = act_of(cx.verb);
    let done = if act.keeps_limit() { act.act(cx).await } else { limited(cx, act.act(cx)).await };
    if !lasting::passes(cx.verb) {
        return (settled(cx, done).await, None);
    }
    let lasted = match done {
        Ok(_) => in_force_for(cx, flow, tally).await,
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
    (settled(cx, lasted).await, stopped)
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
    let fault = flow.around.fault.into_iter().chain(own.map(|(end, _)| end)).min();
    let around = Surroundings { fault, ..flow.around };
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
    limited(cx, rest).await
}
