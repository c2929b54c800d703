//! `pause_client`

use async_trait::async_trait;
use kplan_dsl::steps::PauseClient;

use crate::{
    stage::outcome::StepError,
    steps::{
        Cx, Fault,
        members::{self, RUNS, chosen, each, worst_error},
    },
};

#[async_trait]
impl Fault for PauseClient {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let chosen = chosen(&self.client, RUNS, cx)?;
        let all = each(&chosen).map(|(c, m)| cx.stage.pause_member(cx.id, c, m));
        worst_error(futures::future::join_all(all).await).map(drop)
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        members::undo(cx).await
    }
}
