//! `elect_leaders`: an election on demand, and the check that its winners lead.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{steps::ElectLeaders, value::ElectionType};

use crate::{
    cluster::KafkaError,
    observer::patiently,
    stage::outcome::{Answer, Done, KafkaCause, StepError},
    steps::{Act, Cx},
};

/// Limit until the winners are seen to lead.
const SETTLE: Duration = Duration::from_secs(30);

/// Requests the election for every partition of the topic.
#[async_trait]
impl Act for ElectLeaders {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let topic = self.topic.to_string();
        let kind = self.kind;
        let ask = running.observer.ask();
        let elected = patiently(|| ask.hold_election(&topic, kind)).await?;
        let refused: Vec<(u32, &KafkaError)> =
            elected.iter().filter_map(|(p, e)| Some((*p, e.as_ref()?))).collect();
        if !refused.is_empty() {
            let answers = refused
                .into_iter()
                .map(|(p, e)| Answer { about: format!("{topic}/{p}"), error: e.clone() });
            let what = "not every partition could elect a leader".to_owned();
            return Err(StepError::Kafka(KafkaCause::Refused { what, answers: answers.collect() }));
        }
        let led = cx
            .stage
            .view_until(SETTLE, |view| {
                elected.keys().all(|p| {
                    let partition = view.partition(&topic, *p);
                    partition.is_some_and(|p| match kind {
                        ElectionType::Preferred => p.preferred_leads(),
                        ElectionType::Unclean => p.leader.is_some(),
                    })
                })
            })
            .await?;
        if led {
            return Ok(Done::default());
        }
        let who = match kind {
            ElectionType::Preferred => "by its first replica",
            ElectionType::Unclean => "at all",
        };
        let what = format!("not every partition of {topic} was led {who} after the election");
        Err(StepError::not_in_time(what, SETTLE))
    }
}
