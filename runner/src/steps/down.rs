//! Takes brokers down and starts them again, for several steps.

use std::time::Duration;

use kplan_dsl::{
    Conditions,
    value::{DataFate, Target},
};

use crate::{
    cluster::{Node, NodeState},
    event::Holds,
    stage::{nodes::Down, outcome::StepError},
    steps::Cx,
};

/// Limit of `wait` after each broker of a rolling restart.
const BETWEEN: Duration = Duration::from_secs(60);

/// Takes brokers down.
pub async fn take(target: &Target, how: Down, cx: &Cx<'_>) -> Result<(), StepError> {
    let nodes = cx.stage.resolve(target, cx.id).await?;
    cx.stage.take_down(cx.id, &nodes, how).await
}

/// The nodes that a step restarts together, one after the other where it is `rolling`.
pub fn rounds(nodes: &[Node], rolling: bool) -> impl Iterator<Item = &[Node]> {
    nodes.chunks(if rolling { 1 } else { nodes.len().max(1) })
}

/// Waits for the conditions that must hold after each round.
pub async fn settled(wait: Option<&Conditions>, cx: &Cx<'_>) -> Result<(), StepError> {
    let Some(wait) = wait else { return Ok(()) };
    let findings = cx.judge(false).until(wait, BETWEEN, None).await?;
    if findings.iter().any(|f| f.holds != Holds::Yes) {
        return Err(StepError::Judged(findings));
    }
    Ok(())
}

/// The nodes that this step took down and that no step has started since.
pub fn by(cx: &Cx<'_>) -> Vec<Node> {
    cx.stage.wanted.made_by(cx.id, NodeState::Dead)
}

/// Starts the nodes that this step took down.
pub async fn bring_back(cx: &Cx<'_>, how: Down) -> Result<(), StepError> {
    let down = by(cx);
    if down.is_empty() {
        return Ok(());
    }
    // A node that was still ending when the step was cut off would count as started, and then end.
    cx.stage.end_taking_down(cx.id, &down, how).await?;
    cx.stage.bring_up(cx.id, &down, DataFate::Kept).await
}
