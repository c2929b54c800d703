//! `create_topic`

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use kplan_dsl::steps::CreateTopic;

use crate::{
    cluster::{Placement, TopicSpec},
    stage::{
        outcome::{Done, StepError},
        settings,
    },
    steps::{Act, Cx},
};

/// Limit until every partition has a leader.
const SETTLE: Duration = Duration::from_secs(60);

#[async_trait]
impl Act for CreateTopic {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let brokers = running.cluster.spec().brokers;
        let placement = match self.assignment.as_deref() {
            Some(assignment) => Placement::Assignment(
                assignment.0.iter().map(|p| p.iter().map(|b| **b).collect()).collect(),
            ),
            None => Placement::Counts {
                partitions: self.partitions.as_deref().copied().unwrap_or(1),
                replicas: self.replicas.as_deref().copied().unwrap_or(3.min(brokers)),
            },
        };
        let partitions = match &placement {
            Placement::Counts { partitions, .. } => *partitions as usize,
            Placement::Assignment(all) => all.len(),
        };
        let name = self.name.to_string();
        let config: BTreeMap<String, String> =
            self.config.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let topic = TopicSpec {
            name: name.clone(),
            placement,
            config: config.clone().into_iter().collect(),
        };
        running.cluster.topics().create_topic(&topic).await?;
        cx.stage.topics.created(&name, config);
        let led = cx
            .stage
            .view_until(SETTLE, |view| {
                let known = view.partitions(Some(&name)).count();
                known == partitions && view.offline(Some(&name)).next().is_none()
            })
            .await?;
        if led {
            settings::of_topic(cx.stage, &running, &name);
            return Ok(Done::default());
        }
        Err(StepError::not_in_time(format!("not every partition of {name} had a leader"), SETTLE))
    }
}
