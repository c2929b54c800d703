//! `stop_client`

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::steps::StopClient;

use crate::{
    audit,
    client::protocol::Position,
    observer::ClusterView,
    stage::{
        clients::Client,
        outcome::{Done, StepError},
    },
    steps::{
        Act, Cx,
        members::{Chosen, LIVES, chosen, each, worst_error},
    },
};

/// Default limit of the step.
const LIMIT: Duration = Duration::from_secs(60);
/// The part of the limit that is reserved for reading the ends of the log.
const ENDS: Duration = Duration::from_secs(30);

/// `stop_client`: stops producers first, until each message has its report; then the end of the log is determined,
/// and consumers read to it, commit and leave. Copiers do so before the consumers of their copies.
#[async_trait]
impl Act for StopClient {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let limit = cx.head.timeout.as_deref().copied().unwrap_or(LIMIT);
        let end = std::time::Instant::now() + limit;
        // The step's own limit must not cut off the report of a client that could not finish.
        let left = || end.saturating_duration_since(std::time::Instant::now()).mul_f64(0.95);
        let (mut readers, producers): (Vec<_>, Vec<_>) =
            chosen(&self.client, LIVES, cx)?.into_iter().partition(|(c, _)| c.reads());
        let stops = each(&producers).map(|(c, m)| cx.stage.stop_member(c, m, Vec::new(), left()));
        // Messages that a dead producer had acknowledged are judged to the end: its readers stop gracefully too.
        let mut died = None;
        match worst_error(futures::future::join_all(stops).await) {
            Err(error) if error.goes_on() => died = Some(error),
            other => drop(other?),
        }
        while !readers.is_empty() {
            let fed: Vec<String> =
                readers.iter().filter(|(c, _)| c.sends()).flat_map(|(c, _)| c.topics()).collect();
            let waits = |c: &Client| c.read_topics().iter().any(|t| fed.contains(t));
            let (mut later, mut now): (Vec<_>, Vec<_>) =
                readers.into_iter().partition(|(c, _)| waits(c));
            if now.is_empty() {
                // Copiers read from each other in a circle: any order is as good as another.
                std::mem::swap(&mut now, &mut later);
            }
            match stop_readers(&now, cx, left).await {
                Err(error) if error.goes_on() => died = died.or(Some(error)),
                other => other?,
            }
            readers = later;
        }
        died.map_or_else(|| Ok(Done::default()), Err)
    }

    fn limit(&self) -> Option<Duration> {
        Some(LIMIT)
    }
}

/// Lets consumers and copiers read to the ends that their topics have now.
async fn stop_readers(
    readers: &[Chosen],
    cx: &Cx<'_>,
    left: impl Fn() -> Duration,
) -> Result<(), StepError> {
    all_given(readers, cx, left().min(ENDS)).await?;
    let ends = log_ends(readers, cx, left().min(ENDS)).await?;
    let stops = each(readers).map(|(c, m)| cx.stage.stop_member(c, m, ends.clone(), left()));
    worst_error(futures::future::join_all(stops).await)?;
    for (client, _) in readers {
        let own = client.read_topics();
        let at = |p: &Position| audit::At {
            topic: p.topic.clone(),
            partition: p.partition,
            offset: p.offset,
        };
        let read = ends.iter().filter(|p| own.contains(&p.topic)).map(at).collect();
        if !client.lives() {
            cx.stage.audits.caught_up(&client.name, read);
        }
    }
    Ok(())
}

/// Waits until the partitions of members that no longer run are assigned to other members: the group notices only
/// after the session timeout, and no member would read the rest of these partitions. Only if this step ends
/// the last members: else another member reads on.
async fn all_given(readers: &[Chosen], cx: &Cx<'_>, limit: Duration) -> Result<(), StepError> {
    let view = cx.stage.running()?.observer.fresh().await;
    let end = std::time::Instant::now() + limit;
    for (client, members) in readers {
        let ends = |i: usize| members.contains(&i);
        let mut all = client.members.iter().enumerate();
        let crippled = client.members.iter().any(|m| !m.lives());
        if !crippled || all.any(|(i, m)| m.lives() && !ends(i)) {
            continue;
        }
        while let Some((topic, partition)) = not_given(client, &view, cx) {
            if std::time::Instant::now() >= end {
                let name = &client.name;
                return Err(StepError::TimedOut(format!(
                    "no running member of {name} was assigned {topic}/{partition} within {limit:?}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A partition that a client reads and that is assigned to no living member of its group.
fn not_given(client: &Client, view: &ClusterView, cx: &Cx<'_>) -> Option<(String, u32)> {
    let group = client.group().map(|(name, _)| name);
    let all = cx.stage.clients.all();
    let own = all.iter().filter(|c| c.group().map(|(name, _)| name) == group);
    let given: Vec<Position> = own.flat_map(|c| c.given()).collect();
    let has = |topic: &str, partition: u32| {
        given.iter().any(|p| p.topic == topic && p.partition == partition)
    };
    let topics = client.read_topics();
    let mut read = topics.iter().flat_map(|topic| {
        view.partitions(Some(topic)).map(move |(_, p)| (topic.clone(), p.partition))
    });
    read.find(|(topic, partition)| !has(topic, *partition))
}

/// The current log end offset of each partition of the topics that they read.
async fn log_ends(
    readers: &[Chosen],
    cx: &Cx<'_>,
    limit: Duration,
) -> Result<Vec<Position>, StepError> {
    let mut topics: Vec<String> = readers.iter().flat_map(|(c, _)| c.read_topics()).collect();
    topics.sort();
    topics.dedup();
    let bounds = cx.stage.audit_bounds(&topics, limit).await?;
    if let Some(((topic, partition), why)) = bounds.not_ready.iter().next() {
        return Err(StepError::TimedOut(format!(
            "the end of {topic}/{partition} is not known: {why}"
        )));
    }
    let position = |((topic, partition), b): (&(String, u32), &crate::observer::Bounds)| Position {
        topic: topic.clone(),
        partition: *partition,
        offset: b.end,
    };
    Ok(bounds.ready.iter().map(position).collect())
}
