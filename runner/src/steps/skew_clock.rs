//! `skew_clock`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::steps::SkewClock;

use crate::{
    cluster::{Node, Skew},
    stage::outcome::StepError,
    steps::{Cx, Fault},
};

#[async_trait]
impl Fault for SkewClock {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let nodes = cx.stage.resolve(&self.broker, cx.id).await?;
        let skew = Skew::new(self.by.nanoseconds(), self.drift.0);
        cx.stage.skew_clocks(cx.id, &nodes, skew, &skew.to_string()).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.set_clocks_right(cx.id).await
    }

    /// Nodes with a wrong clock are there.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}
