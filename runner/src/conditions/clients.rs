//! Shared code of conditions about clients' traffic: they are judged from the clients' histories. Definitions:
//! `judgement` in the docs, section Availability.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use kplan_dsl::value::{BoundGroup, PartitionRef, TopicName};
use serde_json::json;

use super::{Found, cluster::row};
use crate::{
    event::{Measurement, Stretch},
    history::{
        HistoryError, HistoryFile,
        query::{Answered, Away, Holders, Holding, Mate, PartitionPlace, SenderFiles, SentSince},
    },
    stage::{
        clients::{Client, Presence},
        judge::{Judge, in_ms},
        outcome::StepError,
    },
};

/// The most partitions of a client whose cluster state is shown.
const PARTITIONS_TOLD: usize = 5;

/// Describes partitions that are assigned to no client.
pub(super) const LEFT: &str = "which another client of its group had and no client has taken over";

/// Why a value that is measured by acknowledgements cannot be measured for a client with `acks: 0`.
pub(super) fn unanswered(client: &Client) -> String {
    format!("{} sends with acks=0: no broker acknowledges its messages", client.name)
}

/// The client's last errors, and the cluster's state of the partitions that it waits for.
pub(super) fn why<'p>(
    client: &Client,
    waiting: impl Iterator<Item = &'p PartitionPlace>,
    j: &Judge<'_>,
) -> Vec<String> {
    let mut all = vec![client.causes()];
    if let Ok(view) = j.view() {
        let reported =
            waiting.filter_map(|at| Some((at, view.partition(&at.topic, at.partition)?)));
        all.extend(reported.take(PARTITIONS_TOLD).map(|(at, p)| row(&at.topic, p)));
    }
    all
}

/// Describes the answers that a client did not get.
pub(super) fn nothing(client: &Client) -> &'static str {
    match client.sends() {
        true => "nothing acknowledged",
        false if client.derives().is_some() => "nothing processed",
        false => "nothing delivered",
    }
}

pub(super) fn standstill<'p>(
    client: &Client,
    waiting: impl Iterator<Item = &'p PartitionPlace>,
) -> String {
    let waiting: Vec<String> = waiting.map(PartitionPlace::to_string).collect();
    let what = nothing(client);
    if waiting.is_empty() {
        "has not sent anything".to_owned()
    } else {
        format!("has {what} on {}", waiting.join(", "))
    }
}

/// When messages that were sent after a time were first acknowledged (for a consumer: delivered), on the client's
/// own partitions.
pub(super) fn answered_since(
    client: &Client,
    j: &Judge<'_>,
    since_us: i64,
    holders: &Holders,
) -> Result<Answered, StepError> {
    let (own, sent) = histories(client, j)?;
    let topics = client.topics();
    let held = |place: &PartitionPlace| held(place, &topics, holders);
    let sent = SentSince::new(&refs(&sent), since_us, held).map_err(unreadable)?;
    sent.answered(&refs(&own)).map_err(unreadable)
}

/// Since when a client waits for messages of a partition; none if the partition is not its own.
pub(super) fn held(place: &PartitionPlace, topics: &[String], holders: &Holders) -> Option<i64> {
    if topics.contains(&place.topic) { holders.now(place).since_us() } else { None }
}

/// The other clients of a reader's group.
pub(super) fn mates(client: &Client, j: &Judge<'_>) -> Result<Vec<Mate>, StepError> {
    let Some((group, _)) = client.group().filter(|_| !client.sends()) else {
        return Ok(Vec::new());
    };
    let mut others = j.stage.clients.all();
    others.retain(|other| {
        other.name != client.name && other.group().is_some_and(|(own, _)| own == group)
    });
    // If all have ended, each keeps the partitions that it had then.
    let works = client.presence() == Presence::Working;
    let mate = |other: &Arc<Client>| {
        let gone = works && other.presence() != Presence::Working;
        Ok(Mate { files: opened(other.histories())?, gone })
    };
    others.iter().map(mate).collect()
}

/// Whether a partition of a client that has ended was taken over by no other client.
pub(super) fn left(place: &PartitionPlace, holders: &Holders) -> bool {
    holders.now(place) == Holding::Left
}

/// A client's own histories, and those of the producers of its topics (its own, for a producer).
pub(super) fn histories(
    client: &Client,
    j: &Judge<'_>,
) -> Result<(Vec<HistoryFile>, Vec<HistoryFile>), StepError> {
    let mut producers = Vec::new();
    for sender in senders(client, j) {
        producers.extend(open(&sender)?);
    }
    Ok((open(client)?, producers))
}

/// The clients whose messages it waits for: itself, or for a consumer the producers of its topics.
pub(super) fn senders(client: &Client, j: &Judge<'_>) -> Vec<Arc<Client>> {
    let topics = client.topics();
    let mut all = j.stage.clients.all();
    all.retain(|other| match client.sends() {
        true => other.name == client.name,
        false => other.sends() && other.topics().iter().any(|t| topics.contains(t)),
    });
    all
}

/// The messages that they sent, each with the client's absences.
pub(super) fn sent_by(senders: &[Arc<Client>]) -> Result<Vec<SenderFiles>, StepError> {
    senders.iter().map(|sender| Ok((open(sender)?, away(sender)))).collect()
}

pub(super) fn open(client: &Client) -> Result<Vec<HistoryFile>, StepError> {
    opened(client.traffic())
}

fn opened(files: Vec<PathBuf>) -> Result<Vec<HistoryFile>, StepError> {
    let there = files.into_iter().filter(|p| p.exists());
    there.map(|p| HistoryFile::open(&p).map_err(unreadable)).collect()
}

pub(super) fn refs(files: &[HistoryFile]) -> Vec<&HistoryFile> {
    files.iter().collect()
}

pub(super) fn unreadable(error: HistoryError) -> StepError {
    StepError::rig(format!("a history cannot be read: {error}"))
}

/// The times when the plan kept a client from working.
pub(super) fn away(client: &Client) -> Vec<Away> {
    client
        .downs()
        .into_iter()
        .map(|(from_us, to)| Away { from_us, to_us: to.unwrap_or(i64::MAX) })
        .collect()
}

/// Keeps only the partitions that the condition is about.
pub(super) fn narrow<T>(
    by: &mut BTreeMap<PartitionPlace, T>,
    topic: Option<&TopicName>,
    partition: Option<&PartitionRef>,
) {
    by.retain(|place, _| is_meant(place, topic, partition));
}

/// Whether a condition is about a partition.
pub(super) fn is_meant(
    place: &PartitionPlace,
    topic: Option<&TopicName>,
    partition: Option<&PartitionRef>,
) -> bool {
    topic.is_none_or(|t| place.topic == t.as_str())
        && partition
            .is_none_or(|p| place.topic == p.topic.as_str() && place.partition == p.partition)
}

pub(super) fn timed(bound: BoundGroup<Duration>, us: i64, who: String, did: &str) -> Found {
    let time = Duration::from_micros(u64::try_from(us).unwrap_or(0));
    let shown = in_ms(time);
    Found::bounded(bound, time, format!("{who} {did} {shown}"), json!(time.as_secs_f64()))
}

/// The time of day at a moment of the histories, as logs have it.
pub(super) fn time_of_day(j: &Judge<'_>, at_us: i64) -> String {
    let wall_us = j.stage.run.sink.clock().wall_us(at_us);
    let at = jiff::Timestamp::from_microsecond(wall_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{} UTC", at.strftime("%H:%M:%S%.3f"))
}

/// Stores a measured time span for the timeline.
pub(super) fn measured(
    j: &Judge<'_>,
    client: &Client,
    kind: Stretch,
    place: Option<String>,
    (from_us, until_us, away_us): (i64, Option<i64>, i64),
) {
    j.stage.timeline.measured(Measurement {
        step: j.step.clone(),
        kind,
        client: client.name.clone(),
        place,
        from_us,
        until_us,
        away_us,
    });
}
