//! `restart_client`: ends clients and starts them again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use kplan_dsl::{steps::RestartClient, value::RestartHow};

use crate::{
    stage::{
        clients::{Client, Member},
        outcome::{Done, StepError},
    },
    steps::{
        Act, Cx,
        members::{self, LIVES, chosen, each, worst_error},
    },
};

/// How long one client may take to end gracefully.
const STOP_LIMIT: Duration = Duration::from_secs(30);

#[async_trait]
impl Act for RestartClient {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let chosen = chosen(&self.client, LIVES, cx)?;
        let all: Vec<_> = each(&chosen).collect();
        for round in all.chunks(if self.rolling { 1 } else { all.len().max(1) }) {
            worst_error(join_all(round.iter().map(|(c, m)| end(self.how, c, m, cx))).await)?;
            tokio::time::sleep(self.down_for).await;
            let begin = round.iter().map(|(c, m)| cx.stage.start_member(c, m));
            worst_error(join_all(begin).await)?;
        }
        Ok(Done::default())
    }

    fn mends_itself(&self) -> bool {
        true
    }

    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        members::undo(cx).await
    }
}

async fn end(
    how: RestartHow,
    client: &Arc<Client>,
    member: &Member,
    cx: &Cx<'_>,
) -> Result<(), StepError> {
    match how {
        RestartHow::Stop => cx.stage.end_member(cx.id, client, member, STOP_LIMIT).await,
        RestartHow::Kill => cx.stage.kill_member(cx.id, client, member).await,
    }
}
