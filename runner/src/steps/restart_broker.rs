//! `restart_broker`: takes brokers down and starts them again.

use async_trait::async_trait;
use kplan_dsl::{
    steps::RestartBroker,
    value::{DataFate, RestartHow},
};

use crate::{
    stage::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx, down},
};

#[async_trait]
impl Act for RestartBroker {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        for round in down::rounds(&nodes, self.rolling) {
            cx.stage.take_down(cx.id, round, how(self)).await?;
            tokio::time::sleep(self.down_for).await;
            cx.stage.bring_up(cx.id, round, DataFate::Kept).await?;
            down::settled(self.wait.as_deref(), cx).await?;
        }
        Ok(Done::default())
    }

    fn mends_itself(&self) -> bool {
        true
    }

    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        down::bring_back(cx, how(self)).await
    }
}

fn how(args: &RestartBroker) -> Down {
    match args.how {
        RestartHow::Stop => Down::Stop,
        RestartHow::Kill => Down::Kill,
    }
}
