//! `kill_client`: all at once.

use async_trait::async_trait;
use kplan_dsl::steps::KillClient;

use crate::{
    stage::outcome::StepError,
    steps::{
        Cx, Fault,
        members::{self, LIVES, chosen, each, worst_error},
    },
};

#[async_trait]
impl Fault for KillClient {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let chosen = chosen(&self.client, LIVES, cx)?;
        let all = each(&chosen).map(|(c, m)| cx.stage.kill_member(cx.id, c, m));
        worst_error(futures::future::join_all(all).await).map(drop)
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        members::undo(cx).await
    }
}
