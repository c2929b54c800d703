//! `eligible_leader_replicas`: the replicas of a partition that may lead without being in sync (KIP-966).

use async_trait::async_trait;
use kplan_dsl::conditions::EligibleLeaderReplicas;
use serde_json::json;

use super::{
    Found, Judged, JudgedNow,
    cluster::{row, unknown, whole},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for EligibleLeaderReplicas {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let view = whole!(j);
        let one = &*self.partition;
        let Some(partition) = view.partition(&one.topic, one.partition) else {
            return Ok(unknown(&one.to_string()));
        };
        let count = partition.eligible.len() as u64;
        let found = match partition.eligible.as_slice() {
            [] => "none".to_owned(),
            some => format!("{count}: {some:?}"),
        };
        let found = Found::bounded(self.replicas, count, found, json!(partition.eligible));
        Ok(found.because(vec![row(&one.topic, partition)]))
    }
}
