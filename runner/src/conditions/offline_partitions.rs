//! `offline_partitions`

use async_trait::async_trait;
use kplan_dsl::conditions::OfflinePartitions;

use super::{
    Judged, JudgedNow,
    cluster::{counted, row},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for OfflinePartitions {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let topic = self.topic.as_deref().map(|t| t.as_str());
        counted(j, topic, self.bound, "without a leader", |v| {
            v.offline(topic).map(|(t, p)| row(t, p)).collect()
        })
        .await
    }
}
