//! `delete_records`

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{steps::DeleteRecords, value::BeforeOffset};
use tokio::time::{Instant, sleep};

use crate::{
    event::Event,
    observer::{At, TopicPartition, patiently},
    stage::{
        Running,
        outcome::{Done, StepError},
    },
    steps::{Act, Cx},
};

/// Limit until every log is seen to begin where it should.
const SETTLE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes the records and waits until the logs begin later.
#[async_trait]
impl Act for DeleteRecords {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let topic = self.topic.as_str();
        let partitions: Vec<u32> = match self.partition.as_deref() {
            Some(partition) => vec![*partition],
            None => {
                let view = running.observer.fresh().await;
                view.partitions(Some(topic)).map(|(_, p)| p.partition).collect()
            }
        };
        if partitions.is_empty() {
            return Err(StepError::lacks(format!("there is no topic {topic}")));
        }
        let before = match *self.before {
            BeforeOffset::Offset(offset) => i64::try_from(offset).ok(),
            BeforeOffset::End => None,
        };
        let ask = running.observer.ask();
        let starts = patiently(|| ask.delete_records(topic, &partitions, before)).await?;
        for ((topic, partition), start) in &starts {
            begins(&running, &(topic.clone(), *partition), *start).await?;
        }
        let each =
            starts.iter().map(|((topic, p), start)| format!("{topic}/{p} begins at {start}"));
        let text = format!("records were deleted: {}", each.collect::<Vec<_>>().join(", "));
        cx.stage.tell.emit(Event::Note { step: cx.id.to_owned(), text });
        Ok(Done::default())
    }
}

/// Waits until the leader's log begins at an offset.
async fn begins(running: &Running, at: &TopicPartition, start: i64) -> Result<(), StepError> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let found = running.observer.ask().offset(&at.0, at.1, At::Start).await;
        match found {
            Ok(offset) if offset >= start => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Ok(offset) if Instant::now() >= deadline => {
                let what = format!("{}/{} begins at {offset}, not at {start}", at.0, at.1);
                return Err(StepError::not_in_time(what, SETTLE));
            }
            _ => sleep(PAUSE).await,
        }
    }
}
