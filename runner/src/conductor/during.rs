//! Faults with `during`: begin, then the steps and the time of `for` side by side, then the end. The same
//! for every fault.

use std::time::{Duration, Instant};

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
    let steps = cx.verb.during();
    let in_force = match limited(cx, lasting::begin(cx), flow).await {
        Ok(in_force) => in_force,
        Err(error) => {
            let reason = format!("step {} could not be carried out", cx.id);
            steps.iter().for_each(|step| skip(cx.stage, step, flow, &reason, tally));
            return (Err(error), None);
        }
    };
    let own = cx.head.timeout.as_deref().map(|limit| Instant::now() + *limit);
    let around = flow.around.into_iter().chain(own).min();
    let inner = Flow { around, ..flow.within(cx.id) };
    let lasted = in_force_for(cx, &inner, tally).await;
    // Whatever ended the steps (a failure, a limit, the first signal), the fault is undone.
    let undo = Flow { deadline: None, finally: true, around: None, ..flow.clone() };
    let over = limited(cx, lasting::end(&in_force, cx), &undo).await;
    match lasted {
        Ok(stopped) => (over.map(|()| Done::default()), stopped),
        Err(error) => (Err(error), None),
    }
}

/// Runs the steps; if they end before the time of `for`, waits for the rest of it, unless one of them
/// ended the plan.
async fn in_force_for(
    cx: &Cx<'_>,
    flow: &Flow,
    tally: &Tally,
) -> Result<Option<String>, StepError> {
    let until = Instant::now() + cx.verb.for_time().unwrap_or(Duration::ZERO);
    let stopped = run_list(cx.stage, cx.verb.during(), flow.clone(), tally).await;
    if stopped.is_some() {
        return Ok(stopped);
    }
    let left = until.saturating_duration_since(Instant::now());
    cx.stage.talk(cx.id, "", Some(left));
    let rest = async {
        tokio::time::sleep(left).await;
        Ok(None)
    };
    limited(cx, rest, flow).await
}
