//! Faults that are undone, with `for` or `during`: begin, then the steps and the time of `for` side by side, then
//! the end. The same for every fault, and whatever cuts off its beginning or its time.

use std::time::{Duration, Instant};

use kplan_dsl::StepHead;

use crate::{
    conductor::{
        Tally,
        outcome::{Done, StepError},
        step::{Flow, limited, run_list, skip},
    },
    steps::{Cx, lasting},
};

/// Carries the fault and its steps out. Returns what became of the fault itself, and why the rest of the
/// plan is skipped if one of its steps ended it.
pub async fn carry_out(
    cx: &Cx<'_>,
    flow: &Flow,
    tally: &Tally,
) -> (Result<Done, StepError>, Option<String>) {
    let lasted = match limited(cx, lasting::begin(cx), flow).await {
        Ok(()) => in_force_for(cx, flow, tally).await,
        Err(error) => {
            let reason = format!("step {} could not be carried out", cx.id);
            let steps = cx.verb.during();
            steps.iter().for_each(|step| skip(cx.stage, step, flow, &reason, tally));
            Err(error)
        }
    };
    let over = undo(cx, flow).await;
    match lasted {
        Ok(stopped) => (over.map(|()| Done::default()), stopped),
        Err(error) => (Err(lasting::both(cx, error, over)), None),
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
