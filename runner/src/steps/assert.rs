//! `assert`: judges now, within a time (from here, or from the end of a step), or throughout a time.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{Conditions, steps::Assert, value::duration_text};

use crate::{
    event::Holds,
    stage::{
        judge::{Judge, in_ms, since},
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, limits::JUDGEMENT_LIMIT},
};

#[async_trait]
impl Act for Assert {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let judge = cx.judge(false);
        let mut gone = Duration::ZERO;
        if let Some(step) = self.since.as_deref() {
            let id = cx.stage.timeline.named(step);
            let ended = id.and_then(|id| cx.stage.timeline.times(&id)).and_then(|t| t.ended_us);
            let Some(ended) = ended else {
                let why = if judge.stage.timeline.has_begun(step) {
                    "has not ended"
                } else {
                    "has not run"
                };
                let why = format!("step \"{step}\" {why}: the judged time begins at its end");
                return not_judged(&judge, &self.that, &why).await;
            };
            gone = since(ended);
        }
        if let Some(time) = self.for_time.as_deref() {
            cx.stage.look_anew().await;
            return Done::judged(judge.throughout(&self.that, *time).await?);
        }
        let Some(within) = self.within.as_deref() else {
            cx.stage.look_anew().await;
            return Done::judged(judge.now(&self.that).await?);
        };
        if gone > *within {
            // The present state does not show whether the conditions held then.
            let (late, within) = (in_ms(gone - *within), duration_text(*within));
            let why = format!("the {within} had ended {late} before this step could judge");
            return not_judged(&judge, &self.that, &why).await;
        }
        Done::judged(judge.until(&self.that, within.saturating_sub(gone), None).await?)
    }

    fn limit(&self) -> Option<Duration> {
        Some(JUDGEMENT_LIMIT)
    }
}

/// The result if there is no time left to judge.
async fn not_judged(judge: &Judge<'_>, that: &Conditions, why: &str) -> Result<Done, StepError> {
    let mut findings = judge.now(that).await?;
    for finding in &mut findings {
        finding.holds = Holds::Inconclusive;
        why.clone_into(&mut finding.found);
    }
    Done::judged(findings)
}
