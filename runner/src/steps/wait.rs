//! `wait`: a time, or until conditions hold.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::steps::Wait;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for Wait {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        match self {
            Self::Pause(time) => {
                cx.stage.talk(cx.id, "", Some(**time));
                tokio::time::sleep(**time).await;
                Ok(Done::default())
            }
            Self::Until(args) => {
                let findings = cx
                    .judge(false)
                    .until(&args.until, *args.within, args.poll.as_deref().copied())
                    .await?;
                Done::judged(findings)
            }
        }
    }

    /// The step ends by itself when its time is over; the limit only guards against a hang.
    fn limit(&self) -> Option<Duration> {
        let own = match self {
            Self::Pause(time) => **time,
            Self::Until(args) => *args.within,
        };
        Some(own + Duration::from_secs(120))
    }
}
