//! `resume_client`

use async_trait::async_trait;
use kplan_dsl::steps::ResumeClient;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx,
        members::{PAUSED, chosen, each, worst_error},
    },
};

#[async_trait]
impl Act for ResumeClient {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let chosen = chosen(&self.client, PAUSED, cx)?;
        let all = each(&chosen).map(|(c, m)| cx.stage.resume_member(cx.id, c, m));
        worst_error(futures::future::join_all(all).await)
    }
}
