//! The limit of a step, and what else cuts it off.

use std::time::{Duration, Instant};

use crate::{
    stage::outcome::StepError,
    steps::{Cx, act_of},
};

/// Default limit of a step: no step waits forever.
const STEP_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Default limit of a step that judges: it ends by itself when its time is over, and may read long logs.
pub const JUDGEMENT_LIMIT: Duration = Duration::from_secs(45 * 60);

/// The limits around a step that may cut it off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    /// When the plan's own time is over; none in `finally`.
    pub deadline: Option<Instant>,
    /// Steps of `finally` go on after the first signal.
    pub finally: bool,
    /// When the limit of the fault around the step is over, if it has one.
    pub fault: Option<Instant>,
}

/// The default limit of a step. The time to begin and undo a fault is added to its `for`.
fn limit_of(cx: &Cx<'_>) -> Duration {
    let lasts = || cx.verb.for_time().map(on_top);
    act_of(cx.verb).limit().or_else(lasts).unwrap_or(STEP_LIMIT)
}

/// A limit that only guards against a hang, for a step that ends by itself after this time.
pub const fn on_top(time: Duration) -> Duration {
    time.saturating_add(STEP_LIMIT)
}

/// The rest of a step's time, and which limit ends first.
fn limit(cx: &Cx<'_>) -> (Duration, String) {
    let own = cx.head.timeout.as_deref().copied();
    let step_limit = own.unwrap_or_else(|| limit_of(cx));
    let own = (step_limit, format!("the step's limit of {step_limit:?} ran out"));
    let left = |until: Option<Instant>, whose: &str| {
        Some((until?.saturating_duration_since(Instant::now()), whose.to_owned()))
    };
    let plan = left(cx.around.deadline, "the plan's timeout ran out during this step");
    let around = left(cx.around.fault, "the limit of the fault around this step ran out");
    let all = std::iter::once(own).chain(plan).chain(around);
    all.min_by_key(|(time, _)| *time).unwrap_or((step_limit, String::new()))
}

/// Runs an action within the step's limit, unless a signal ends it.
pub async fn limited<T>(
    cx: &Cx<'_>,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    let stage = cx.stage;
    let (limit, whose) = limit(cx);
    let interrupt = &stage.run.interrupt;
    let signal = if cx.around.finally { interrupt.hard() } else { interrupt.soft() };
    tokio::select! {
        biased;
        () = signal.cancelled() => Err(StepError::Interrupted),
        // Later events could not be recorded: nothing is judged any more, but faults are undone.
        () = stage.run.sink.lost().cancelled(), if !cx.around.finally => {
            Err(StepError::rig(stage.run.sink.trouble().unwrap_or_default()))
        }
        result = tokio::time::timeout(limit, work) => {
            result.unwrap_or_else(|_| Err(act_of(cx.verb).ran_out(cx, whose)))
        }
    }
}
