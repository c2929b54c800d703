//! kill, stop, start, restart, pause and resume of brokers.

use std::time::Duration;

use kplan_dsl::{
    steps::{KillBroker, PauseBroker, RestartBroker, ResumeBroker, StartBroker, StopBroker},
    value::{DataFate, RestartHow, Target},
};

use crate::{
    cluster::Node,
    event::Holds,
    stage::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    steps::Cx,
};

/// `kill_broker`
pub async fn kill(args: &KillBroker, cx: &Cx<'_>) -> Result<(), StepError> {
    down(&args.broker, Down::Kill, cx).await
}

/// `stop_broker`
pub async fn stop(args: &StopBroker, cx: &Cx<'_>) -> Result<(), StepError> {
    down(&args.broker, Down::Stop, cx).await
}

/// Takes brokers down.
async fn down(target: &Target, how: Down, cx: &Cx<'_>) -> Result<(), StepError> {
    let nodes = cx.stage.resolve(target, cx.id).await?;
    cx.stage.take_down(cx.id, &nodes, how).await
}

/// `start_broker`
pub async fn start(args: &StartBroker, cx: &Cx<'_>) -> Result<Done, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.bring_up(cx.id, &nodes, args.data).await?;
    Ok(Done::default())
}

/// Limit of `wait` after each broker of a rolling restart.
pub const BETWEEN: Duration = Duration::from_secs(60);

/// `restart_broker`
pub async fn restart(args: &RestartBroker, cx: &Cx<'_>) -> Result<Done, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    let rounds: Vec<&[Node]> =
        if args.rolling { nodes.chunks(1).collect() } else { vec![nodes.as_slice()] };
    let how = match args.how {
        RestartHow::Stop => Down::Stop,
        RestartHow::Kill => Down::Kill,
    };
    for round in rounds {
        cx.stage.take_down(cx.id, round, how).await?;
        tokio::time::sleep(args.down_for).await;
        cx.stage.bring_up(cx.id, round, DataFate::Kept).await?;
        if let Some(wait) = &args.wait {
            let findings = cx.judge(false).until(wait, BETWEEN, None).await?;
            if findings.iter().any(|f| f.holds != Holds::Yes) {
                return Err(StepError::Judged(findings));
            }
        }
    }
    Ok(Done::default())
}

/// `pause_broker`
pub async fn pause(args: &PauseBroker, cx: &Cx<'_>) -> Result<(), StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.freeze(cx.id, &nodes).await
}

/// `resume_broker`
pub async fn resume(args: &ResumeBroker, cx: &Cx<'_>) -> Result<Done, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.thaw(cx.id, &nodes).await?;
    Ok(Done::default())
}
