//! `under_replicated_partitions`

use async_trait::async_trait;
use kplan_dsl::conditions::UnderReplicatedPartitions;

use super::{
    Judged, JudgedNow,
    cluster::{counted, row},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for UnderReplicatedPartitions {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let topic = self.topic.as_deref().map(|t| t.as_str());
        counted(j, topic, self.bound, "under-replicated", |v| {
            v.under_replicated(topic).map(|(t, p)| row(t, p)).collect()
        })
        .await
    }
}
