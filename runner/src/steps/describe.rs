//! `describe`: puts a topic's or the cluster's description into the report.

use async_trait::async_trait;
use kplan_dsl::steps::Describe;

use crate::{
    event::Event,
    observer::{cluster_table, topic_table},
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for Describe {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let view = cx.stage.running()?.observer.fresh().await;
        let (title, text) = match self.topic.as_deref() {
            Some(name) => {
                let topic = view.topics.get(name.as_str());
                let topic = topic.ok_or_else(|| {
                    StepError::lacks(format!("no living broker knows the topic {name}"))
                })?;
                (format!("Topic {name}"), topic_table(topic))
            }
            None => ("Cluster".to_owned(), cluster_table(&view)),
        };
        cx.stage.tell.emit(Event::Described { step: cx.id.to_owned(), title, text });
        Ok(Done::default())
    }
}
