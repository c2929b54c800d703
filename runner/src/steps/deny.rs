//! `deny`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::steps::Deny;

use crate::{
    cluster::Node,
    stage::outcome::StepError,
    steps::{Cx, Fault, access::rules},
};

#[async_trait]
impl Fault for Deny {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.alter_acls(cx.id, rules(&self.rule, false), !self.rule.remove).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.restore_acls(cx.id).await
    }

    /// Brokers that refuse requests are still available.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}
