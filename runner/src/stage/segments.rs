//! Reads partitions from the brokers' disks: searches there for lost messages, and compares replicas.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

use crate::{
    audit::{
        AuditResult,
        disks::{self, Disk},
    },
    cluster::{Node, NodeState},
    event::StepRun,
    identity::{RunIds, payload::Decoded},
    observer::{At, ClusterView, PartitionView},
    segments::{self, Comparison, Entry, FoundRecord, Log, Replica},
    stage::{Running, Stage, outcome::StepError},
};

/// The most bytes of all disks together that one audit reads.
const MOST: u64 = 2 << 30;
/// Time for all disks together.
const LIMIT: Duration = Duration::from_secs(120);

/// What may still be read.
struct Budget {
    bytes: u64,
    end: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { bytes: MOST, end: Instant::now() + LIMIT }
    }
}

/// The comparison of one partition's replicas.
#[derive(Debug)]
pub struct Compared {
    pub topic: String,
    pub partition: u32,
    /// The brokers whose replicas were in sync.
    pub brokers: Vec<u32>,
    /// The result.
    pub comparison: Comparison,
}

impl Stage {
    /// Searches every broker's disk for lost messages, and adds what it finds to the result. Does nothing
    /// if the backend cannot read disks.
    pub(crate) async fn search_disks(
        &self,
        running: &Running,
        step: &StepRun,
        result: &mut AuditResult,
    ) -> Result<(), StepError> {
        let places: BTreeSet<(String, u32)> =
            result.missing.iter().map(|m| (m.topic.clone(), m.partition)).collect();
        if places.is_empty() {
            return Ok(());
        }
        self.talk(step, "the brokers' disks to be searched for lost messages", None);
        let view = running.observer.fresh().await;
        let mut budget = Budget::new();
        let mut found = Vec::new();
        for (topic, partition) in places {
            let wanted: Vec<_> = result
                .missing
                .iter()
                .filter(|m| (&m.topic, m.partition) == (&topic, partition))
                .map(|m| m.wanted())
                .collect();
            let numbers = self.topics.numbers(std::iter::once(topic.as_str()));
            let number = numbers[&topic];
            for broker in running.cluster.brokers() {
                let place = (topic.as_str(), partition);
                let held = match self.copied(running, broker, place, &mut budget).await? {
                    Ok(None) => return Ok(()),
                    Ok(Some((_, log, dir))) => {
                        let wanted = wanted.clone();
                        let ids = RunIds::of(&self.run.id, &self.dir);
                        let work = move || held(log, (&ids, number), &wanted, &dir);
                        tokio::task::spawn_blocking(work).await.map_err(StepError::rig)?
                    }
                    Err(why) => Err(why),
                };
                let state = state(running, &view, broker, place).await;
                found.push(Disk { topic: topic.clone(), partition, broker, state, held });
            }
        }
        disks::tell(result, &found);
        Ok(())
    }

    /// Copies one partition from a broker's disk. None if the backend cannot; an error text
    /// if it failed this time. The files are removed with the directory.
    async fn copied(
        &self,
        running: &Running,
        broker: u32,
        place: (&str, u32),
        budget: &mut Budget,
    ) -> Result<Result<Option<(i64, Log, tempfile::TempDir)>, String>, StepError> {
        let Ok(disks) = running.cluster.disks() else { return Ok(Ok(None)) };
        let left = budget.end.saturating_duration_since(Instant::now());
        let dir = tempfile::Builder::new()
            .prefix("segments-")
            .tempdir_in(&self.dir)
            .map_err(StepError::rig)?;
        let copy = disks.segments(broker, place, dir.path(), budget.bytes);
        let files = match tokio::time::timeout(left, copy).await {
            Err(_) => return Ok(Err(format!("the disks were not read within {LIMIT:?}"))),
            Ok(Err(error)) => return Ok(Err(error.to_string())),
            Ok(Ok(files)) => files,
        };
        let size = |path: &std::path::PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
        budget.bytes = budget.bytes.saturating_sub(files.iter().map(size).sum());
        // Segments are named by their first offsets.
        let first = |path: &std::path::PathBuf| path.file_stem()?.to_str()?.parse().ok();
        let start = files.iter().filter_map(first).min().unwrap_or(i64::MAX);
        Ok(Ok(Some((start, Log::new(files), dir))))
    }

    /// Compares the in-sync replicas of a partition up to its high watermark, as they lie on disk.
    pub async fn compare_replicas(
        &self,
        running: &Running,
        place: (&str, u32),
    ) -> Result<Result<Compared, String>, StepError> {
        let compacted = self.topics.all().get(place.0).is_some_and(|t| t.compacted);
        let once = self.compare_once(running, place, compacted).await?;
        // The log cleaner may have replaced segments while they were copied: a real difference
        // shows again.
        match once {
            Ok(found) if compacted && found.comparison.differing > 0 => {
                self.compare_once(running, place, compacted).await
            }
            once => Ok(once),
        }
    }

    async fn compare_once(
        &self,
        running: &Running,
        (topic, partition): (&str, u32),
        compacted: bool,
    ) -> Result<Result<Compared, String>, StepError> {
        let place = format!("{topic}/{partition}");
        let before = match self.bounds_of(running, topic, partition).await {
            Ok(before) => before,
            Err(why) => return Ok(Err(format!("{place}: {why}"))),
        };
        let (range, brokers) = (before.0, before.1.in_sync.clone());
        if brokers.len() < 2 {
            let why = format!("{place} has one replica in sync: there is nothing to compare");
            return Ok(Err(why));
        }
        let mut budget = Budget::new();
        let (mut replicas, mut dirs) = (Vec::new(), Vec::new());
        for broker in &brokers {
            match self.copied(running, *broker, (topic, partition), &mut budget).await? {
                Err(why) => return Ok(Err(format!("{place} on broker {broker}: {why}"))),
                Ok(None) => {
                    let backend = running.cluster.backend();
                    return Ok(Err(format!("the backend {backend} cannot read brokers' disks")));
                }
                Ok(Some((start, log, dir))) => {
                    replicas.push(Replica { broker: *broker, start, log });
                    dirs.push(dir);
                }
            }
        }
        let view = running.observer.fresh().await;
        let same = view.partition(topic, partition).is_some_and(|p| {
            (p.leader, p.leader_epoch) == (before.1.leader, before.1.leader_epoch)
                && brokers.iter().all(|b| p.in_sync.contains(b))
        });
        if !same {
            let why = "leader or in-sync set changed while the replicas were read";
            return Ok(Err(format!("{place}: {why}")));
        }
        let named = self.named_records();
        let work = move || {
            let _dirs = dirs;
            segments::compare(replicas, range, compacted, &|entry| named.name(entry))
        };
        let comparison = tokio::task::spawn_blocking(work).await.map_err(StepError::rig)?;
        Ok(Ok(Compared { topic: topic.to_owned(), partition, brokers, comparison }))
    }

    /// From log start to high watermark, and the partition at that time: every replica in sync holds at
    /// least these offsets.
    async fn bounds_of(
        &self,
        running: &Running,
        topic: &str,
        partition: u32,
    ) -> Result<(Range<i64>, PartitionView), String> {
        let ask = running.observer.ask();
        let offset = async |at| ask.offset(topic, partition, at).await.map_err(|e| e.to_string());
        let start = offset(At::Start).await?;
        let end = offset(At::HighWatermark).await?;
        // Read the in-sync set after the watermark: every replica in it has passed the watermark.
        let view = running.observer.fresh().await;
        let reported = view.partition(topic, partition).ok_or("no living broker knows it")?;
        Ok((start..end, reported.clone()))
    }

    fn named_records(&self) -> Named {
        let clients = self.clients.all();
        let numbers = clients.iter().map(|c| (c.id(), c.name.clone())).collect();
        Named { run: RunIds::of(&self.run.id, &self.dir), numbers }
    }
}

fn held(
    mut log: Log,
    run: (&RunIds, u16),
    wanted: &[segments::Wanted],
    _dir: &tempfile::TempDir,
) -> Result<Vec<Vec<FoundRecord>>, String> {
    let found = segments::search(&mut log, run, wanted);
    match log.failed() {
        Some(error) => Err(format!("its files cannot be read: {error}")),
        None => Ok(found),
    }
}

/// The role of a broker for a partition, after "broker 1, ".
async fn state(
    running: &Running,
    view: &ClusterView,
    broker: u32,
    (topic, partition): (&str, u32),
) -> String {
    let process = running.cluster.state(Node::Broker(broker)).await;
    let reported = view.partition(topic, partition);
    let word = match (process, reported) {
        (Ok(NodeState::Dead), _) => "dead",
        (Ok(NodeState::Paused), _) => "paused",
        (Err(_), _) | (_, None) => "in an unknown state",
        (_, Some(p)) if p.leader == Some(broker) => "the leader",
        (_, Some(p)) if p.in_sync.contains(&broker) => "in sync",
        (_, Some(p)) if p.replicas.contains(&broker) => "not in sync",
        (_, Some(_)) => "no longer a replica",
    };
    word.to_owned()
}

/// Describes which message a record is.
struct Named {
    run: RunIds,
    numbers: BTreeMap<u16, String>,
}

impl Named {
    fn name(&self, entry: &Entry) -> String {
        if entry.control {
            return "the end of a transaction".to_owned();
        }
        let message = |client: u16, life: u16, seq: u64| {
            let client = self.numbers.get(&client).map_or("a client", String::as_str);
            format!("{client} life {life} message {seq}")
        };
        match entry.parts().decode(&self.run) {
            Decoded::Identity(id) => message(id.client, id.life, id.seq),
            Decoded::Text(id) => message(id.client, id.life, id.seq),
            Decoded::Numbered(id) => message(id.client, id.life, id.seq),
            Decoded::Foreign => {
                let value = entry.value.as_deref().unwrap_or_default();
                format!("a message of {} bytes", value.len())
            }
            Decoded::Corrupt => "a message with a wrong checksum".to_owned(),
        }
    }
}
