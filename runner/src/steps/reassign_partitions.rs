//! `reassign_partitions`: moves replicas, and waits until they are in sync on their new brokers.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::steps::ReassignPartitions;

use crate::{
    stage::{
        Running,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx},
};

/// Default limit until every replica is in sync at its new place.
const MOVE: Duration = Duration::from_secs(9 * 60);

/// Moves the replicas. The throttle is removed however the move ends.
#[async_trait]
impl Act for ReassignPartitions {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let topic = self.topic.to_string();
        let wanted: Vec<Vec<u32>> =
            self.assignment.0.iter().map(|p| p.iter().map(|b| **b).collect()).collect();
        let known = running.observer.fresh().await.partitions(Some(&topic)).count();
        if known != wanted.len() {
            let text =
                format!("{topic} has {known} partitions, but the assignment has {}", wanted.len());
            return Err(StepError::not_so(text));
        }
        if let Some(rate) = self.throttle {
            cx.stage.throttle(cx.id, &topic, rate.0).await?;
        }
        move_them(&running, &topic, &wanted, cx).await?;
        cx.stage.unthrottle(cx.id).await?;
        Ok(Done::default())
    }

    fn mends_itself(&self) -> bool {
        self.throttle.is_some()
    }

    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.unthrottle(cx.id).await
    }
}

async fn move_them(
    running: &Running,
    topic: &str,
    wanted: &[Vec<u32>],
    cx: &Cx<'_>,
) -> Result<(), StepError> {
    running.observer.ask().reassign(topic, wanted).await?;
    cx.stage.talk(cx.id, "the replicas to be moved", Some(MOVE));
    let there = cx
        .stage
        .view_until(MOVE, |view| {
            (0..).zip(wanted).all(|(number, replicas)| {
                view.partition(topic, number)
                    .is_some_and(|p| p.replicas == *replicas && p.in_sync.len() == replicas.len())
            })
        })
        .await?;
    if there {
        return Ok(());
    }
    let what = format!("not every replica of {topic} was in sync at its new place");
    Err(StepError::not_in_time(what, MOVE))
}
