//! `upgrade_broker`: another version of Kafka on the same data.

use kplan_dsl::steps::UpgradeBroker;

use crate::{
    cluster::{Node, Version},
    conductor::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    event::{Event, Holds},
    steps::{Cx, brokers::BETWEEN},
};

/// Stops brokers gracefully and starts them with the other version.
pub async fn upgrade(args: &UpgradeBroker, cx: &Cx<'_>) -> Result<Done, StepError> {
    let version = args.version.text().parse::<Version>().map_err(StepError::not_so)?;
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    let rounds: Vec<&[Node]> =
        if args.rolling { nodes.chunks(1).collect() } else { vec![nodes.as_slice()] };
    for round in rounds {
        cx.stage.take_down(cx.id, round, Down::Stop).await?;
        cx.stage.exchange(cx.id, round, &version).await?;
        for node in round {
            cx.stage.run.sink.emit(Event::Configured {
                suite: cx.stage.suite,
                who: node.to_string(),
                settings: [("version".to_owned(), version.to_string())].into(),
            });
        }
        let Some(wait) = &args.wait else { continue };
        let findings = cx.judge(false).until(wait, BETWEEN, None).await?;
        if findings.iter().any(|f| f.holds != Holds::Yes) {
            return Err(StepError::Judged(findings));
        }
    }
    Ok(Done::default())
}
