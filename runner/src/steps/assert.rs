//! `assert`: now, within a time (from here, or from the end of a step), or throughout a time.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::steps::Assert;

use crate::{
    stage::{
        judge::since,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, limits::JUDGEMENT_LIMIT},
};

#[async_trait]
impl Act for Assert {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let judge = cx.judge(false);
        if let Some(time) = self.for_time.as_deref() {
            cx.stage.look_anew().await;
            return Done::judged(judge.throughout(&self.that, *time).await?);
        }
        let Some(within) = self.within.as_deref() else {
            cx.stage.look_anew().await;
            return Done::judged(judge.now(&self.that).await?);
        };
        let mut left = *within;
        if let Some(step) = self.since.as_deref() {
            let id = cx.stage.step_named(step);
            let ended = id.and_then(|id| cx.stage.step_times(&id)).and_then(|t| t.ended_us);
            let ended =
                ended.ok_or_else(|| StepError::not_so(format!("step \"{step}\" has not run")))?;
            left = left.saturating_sub(since(ended));
        }
        Done::judged(judge.until(&self.that, left, None).await?)
    }

    fn limit(&self) -> Option<Duration> {
        Some(JUDGEMENT_LIMIT)
    }
}
