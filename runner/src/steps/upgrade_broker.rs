//! `upgrade_broker`: another version of Kafka on the same data.

use kplan_dsl::steps::UpgradeBroker;

use crate::{
    cluster::{Node, Version},
    event::{Event, Holds, SettingsOf},
    stage::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    steps::{Cx, brokers::BETWEEN},
};

/// Stops brokers gracefully and starts them with the other version.
pub async fn upgrade(args: &UpgradeBroker, cx: &Cx<'_>) -> Result<Done, StepError> {
    version(args)?;
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    let rounds: Vec<&[Node]> =
        if args.rolling { nodes.chunks(1).collect() } else { vec![nodes.as_slice()] };
    for round in rounds {
        cx.stage.take_down(cx.id, round, Down::Stop).await?;
        bring_up(args, round, cx).await?;
        let Some(wait) = &args.wait else { continue };
        let findings = cx.judge(false).until(wait, BETWEEN, None).await?;
        if findings.iter().any(|f| f.holds != Holds::Yes) {
            return Err(StepError::Judged(findings));
        }
    }
    Ok(Done::default())
}

/// Starts brokers that are down with the other version.
pub async fn bring_up(args: &UpgradeBroker, nodes: &[Node], cx: &Cx<'_>) -> Result<(), StepError> {
    let version = version(args)?;
    cx.stage.exchange(cx.id, nodes, &version).await?;
    for node in nodes {
        cx.stage.tell.emit(Event::Configured {
            who: SettingsOf::Node(node.to_string()),
            settings: [("version".to_owned(), version.to_string())].into(),
        });
    }
    Ok(())
}

fn version(args: &UpgradeBroker) -> Result<Version, StepError> {
    args.version.text().parse().map_err(StepError::not_so)
}
