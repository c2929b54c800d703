//! `start_client`: starts a client again with the same settings.

use async_trait::async_trait;
use kplan_dsl::steps::StartClient;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx,
        members::{DEAD, chosen, each, worst_error},
    },
};

#[async_trait]
impl Act for StartClient {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let chosen = chosen(&self.client, DEAD, cx)?;
        let all = each(&chosen).map(|(c, m)| cx.stage.start_member(c, m));
        worst_error(futures::future::join_all(all).await)
    }
}
