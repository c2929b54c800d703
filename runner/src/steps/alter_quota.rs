//! `alter_quota`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::{steps::AlterQuota, value::QuotaOf};

use crate::{
    cluster::Node,
    observer::{QuotaEntity, QuotaLimits},
    stage::{
        clients::{Client, Member},
        outcome::StepError,
    },
    steps::{
        Cx, Fault,
        members::{LIVES, chosen},
    },
};

/// Kafka's types of entities.
const USER: &str = "user";
const CLIENT: &str = "client-id";

#[async_trait]
impl Fault for AlterQuota {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let limits = self.limits().map(|(name, (limit, _))| (name.to_owned(), limit));
        let limits: QuotaLimits = limits.collect();
        cx.stage.alter_quotas(cx.id, &entities(self, cx)?, &limits).await
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        cx.stage.restore_quotas(cx.id).await
    }

    /// Brokers that delay answers are still available.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}

/// Whose quotas are meant: each member of a client of the plan has a `client.id` of its own.
fn entities(step: &AlterQuota, cx: &Cx<'_>) -> Result<Vec<QuotaEntity>, StepError> {
    let name = |of: &QuotaOf| of.name().map(str::to_owned);
    let user = step.user.as_deref().map(|user| (USER, name(user)));
    let mut ids: Vec<Option<(&str, Option<String>)>> = Vec::new();
    match (&step.client, &step.client_id) {
        (Some(clients), _) => {
            for (client, members) in chosen(clients, LIVES, cx)? {
                let all = members.into_iter().flat_map(|i| client_ids(&client, &client.members[i]));
                ids.extend(all.map(|id| Some((CLIENT, Some(id)))));
            }
        }
        (None, Some(id)) => ids.push(Some((CLIENT, name(id)))),
        (None, None) => ids.push(None),
    }
    if ids.is_empty() {
        return Err(StepError::not_so("kplan does not know the `client.id` of this client"));
    }
    Ok(ids.into_iter().map(|id| user.clone().into_iter().chain(id).collect()).collect())
}

/// Each `client.id` of a member's process; none of another program.
fn client_ids(client: &Client, member: &Member) -> BTreeSet<String> {
    let own = client.spec.in_life(member.number, member.life());
    let all = own.kind().settings().into_iter();
    all.filter_map(|(_, settings)| settings.get("client.id").cloned()).collect()
}
