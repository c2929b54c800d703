//! Topics: create and delete.

use std::{collections::BTreeMap, time::Duration};

use kplan_dsl::steps::{CreateTopic, DeleteTopic};

use crate::{
    cluster::{Placement, TopicSpec},
    stage::{
        outcome::{Done, StepError},
        settings,
    },
    steps::Cx,
};

/// Limit until every partition of a new topic has a leader, and until a deleted one is gone.
const SETTLE: Duration = Duration::from_secs(60);

/// `create_topic`
pub async fn create(args: &CreateTopic, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let brokers = running.cluster.spec().brokers;
    let placement = match args.assignment.as_deref() {
        Some(assignment) => Placement::Assignment(
            assignment.0.iter().map(|p| p.iter().map(|b| **b).collect()).collect(),
        ),
        None => Placement::Counts {
            partitions: args.partitions.as_deref().copied().unwrap_or(1),
            replicas: args.replicas.as_deref().copied().unwrap_or(3.min(brokers)),
        },
    };
    let partitions = match &placement {
        Placement::Counts { partitions, .. } => *partitions as usize,
        Placement::Assignment(all) => all.len(),
    };
    let name = args.name.to_string();
    let config: BTreeMap<String, String> =
        args.config.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let topic =
        TopicSpec { name: name.clone(), placement, config: config.clone().into_iter().collect() };
    running.cluster.topics().create_topic(&topic).await?;
    cx.stage.topic_created(&name, config);
    let led = cx
        .stage
        .view_until(SETTLE, |view| {
            let known = view.partitions(Some(&name)).count();
            known == partitions && view.offline_partitions(Some(&name)).next().is_none()
        })
        .await?;
    if led {
        settings::of_topic(cx.stage, &running, &name);
        return Ok(Done::default());
    }
    Err(StepError::not_in_time(format!("not every partition of {name} had a leader"), SETTLE))
}

/// `delete_topic`
pub async fn delete(args: &DeleteTopic, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let name = args.name.to_string();
    running.cluster.topics().delete_topic(&name).await?;
    cx.stage.topic_deleted(&name);
    let gone =
        cx.stage.view_until(SETTLE, |view| view.partitions(Some(&name)).next().is_none()).await?;
    if gone {
        return Ok(Done::default());
    }
    Err(StepError::not_in_time(format!("{name} was still listed after its deletion"), SETTLE))
}
