//! `under_min_isr_partitions`

use async_trait::async_trait;
use kplan_dsl::conditions::UnderMinIsrPartitions;

use super::{
    Found, Judged, JudgedNow,
    cluster::{counted, row, whole},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for UnderMinIsrPartitions {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let topic = self.topic.as_deref().map(|t| t.as_str());
        let running = j.stage.running()?;
        let view = whole!(j);
        let mut least = std::collections::BTreeMap::new();
        for (name, _) in view.partitions(topic) {
            if least.contains_key(name) {
                continue;
            }
            match running.observer.ask().min_insync_replicas(name).await {
                Ok(n) => least.insert(name.to_owned(), n),
                Err(error) => return Ok(Found::inconclusive(error.to_string())),
            };
        }
        counted(j, topic, self.bound, "below min.insync.replicas", |v| {
            let wanted = |t: &str| least.get(t).copied().unwrap_or(1);
            v.below_min_isr(topic, wanted).map(|(t, p)| row(t, p)).collect()
        })
        .await
    }
}
