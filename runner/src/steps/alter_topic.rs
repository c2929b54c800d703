//! `alter_topic`: more partitions, other settings.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use kplan_dsl::steps::AlterTopic;

use crate::{
    cluster::TopicChange,
    stage::{
        outcome::{Done, StepError},
        settings,
    },
    steps::{Act, Cx},
};

/// Limit until every new partition has a leader.
const SETTLE: Duration = Duration::from_secs(60);

/// Changes the topic and waits until its new partitions have leaders.
#[async_trait]
impl Act for AlterTopic {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let name = self.name.to_string();
        let config: BTreeMap<String, String> =
            self.config.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let partitions = self.partitions.as_deref().copied();
        let change = TopicChange { partitions, config: config.clone().into_iter().collect() };
        // Recorded before the request: a request that fails half way may have added partitions.
        cx.stage.topic_altered(&name, partitions.is_some(), config);
        running.cluster.topics().alter_topic(&name, &change).await?;
        settings::of_topic(cx.stage, &running, &name);
        let Some(partitions) = partitions else { return Ok(Done::default()) };
        let led = cx
            .stage
            .view_until(SETTLE, |view| {
                view.partitions(Some(&name)).count() == partitions as usize
                    && view.offline(Some(&name)).next().is_none()
            })
            .await?;
        if led {
            return Ok(Done::default());
        }
        let what = format!("{name} did not have {partitions} partitions with leaders");
        Err(StepError::not_in_time(what, SETTLE))
    }
}
