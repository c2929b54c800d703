//! `upgrade_broker`: another version of Kafka on the same data.

use async_trait::async_trait;
use kplan_dsl::steps::UpgradeBroker;

use crate::{
    cluster::{Node, Version},
    event::{Event, SettingsOf},
    stage::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, down},
};

/// Stops brokers gracefully and starts them with the other version.
#[async_trait]
impl Act for UpgradeBroker {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        version(self)?;
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        for round in down::rounds(&nodes, self.rolling) {
            cx.stage.take_down(cx.id, round, Down::Stop).await?;
            bring_up(self, round, cx).await?;
            down::settled(self.wait.as_ref(), cx).await?;
        }
        Ok(Done::default())
    }

    fn mends_itself(&self) -> bool {
        true
    }

    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let back = down::bring_back(cx, Down::Stop).await;
        let down = down::by(cx);
        // No process of the earlier version may be left.
        if down.is_empty() { back } else { bring_up(self, &down, cx).await }
    }
}

/// Starts brokers that are down with the other version.
async fn bring_up(args: &UpgradeBroker, nodes: &[Node], cx: &Cx<'_>) -> Result<(), StepError> {
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
