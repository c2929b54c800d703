//! `alter_broker`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::{steps::AlterBroker, value::Settings};

use crate::{
    cluster::Node,
    observer::Changes,
    stage::{outcome::StepError, settings},
    steps::{Cx, Fault},
};

#[async_trait]
impl Fault for AlterBroker {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let new = |value: &str| (value != Settings::DEFAULT).then(|| value.to_owned());
        let changes: Changes = self.config.iter().map(|(k, v)| (k.to_owned(), new(v))).collect();
        cx.stage.alter_brokers(cx.id, &self.broker, &changes).await?;
        settings::of_cluster(cx.stage, &cx.stage.running()?);
        Ok(())
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.restore_brokers(cx.id).await?;
        settings::of_cluster(cx.stage, &cx.stage.running()?);
        Ok(())
    }

    /// Brokers with other settings are still available.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}
