//! Runs the audit: waits until the log can be read, has a process of its own read it, and judges.

mod again;
mod reading;
mod served;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kplan_dsl::value::External;
use serde_json::Value;

use crate::{
    audit::{
        self, AuditInput, AuditResult, ClientFacts, CountVerdict, Facts, Measure, Published,
        RunSource, Scope, Window,
    },
    event::{Anomaly, AnomalyPlace, Event, Example, StepRun},
    history::{Extent, HistoryFile, now_us},
    identity::keys::KeyPlan,
    observer::{AuditBounds, ClusterView},
    stage::{Running, Stage, clients::Client, judge::Judge, outcome::StepError},
};

/// How long a partition may take to become readable to its end.
const READY: Duration = Duration::from_secs(60);
/// With transactions, an unfinished one is only decided after `transaction.timeout.ms` (librdkafka's
/// default, 60 s); kplan waits 10 s more.
const READY_TRANSACTIONS: Duration = Duration::from_secs(70);

use again::{Taken, until_settled};

/// An audit, and the state that it was made from.
struct Cached {
    stamp: Stamp,
    window: Window,
    began_us: i64,
    result: Arc<AuditResult>,
}

/// The results of audits, and the log ends to which consumers read before they stopped.
#[derive(Default)]
pub struct Audits {
    cache: Mutex<Option<Cached>>,
    lives: Mutex<u16>,
    ends: Mutex<BTreeMap<String, Vec<audit::At>>>,
    reported: Mutex<BTreeSet<(String, Measure)>>,
}

/// Changes whenever the log, the histories or the judgement may have changed: while it stays the same, the log is
/// not read again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(Vec<u64>);

impl Audits {
    /// Records that a consumer read to these ends and left.
    pub fn caught_up(&self, client: &str, ends: Vec<audit::At>) {
        self.ends.lock().expect("no holder panics").insert(client.to_owned(), ends);
    }

    fn ends_of(&self, client: &str) -> Option<Vec<audit::At>> {
        self.ends.lock().expect("no holder panics").get(client).cloned()
    }

    fn next_life(&self) -> u16 {
        let mut lives = self.lives.lock().expect("no holder panics");
        *lives += 1;
        *lives
    }
}

impl Stage {
    /// Compares the log with what was sent, acknowledged and delivered. Reads the log again only if
    /// something could have changed.
    pub async fn audit(
        &self,
        look: &Judge<'_>,
        window: Window,
    ) -> Result<Arc<AuditResult>, StepError> {
        let begun = Instant::now();
        let began_us = now_us();
        let step = look.step;
        let running = self.running()?;
        let view = running.observer.fresh().await;
        let stamp = self.stamp(&view);
        if let Some(cached) = &*self.audits.cache.lock().expect("no holder panics")
            && cached.window == window
            && (cached.stamp == stamp && self.serving().is_empty()
                || cached.began_us >= look.look_us)
        {
            return Ok(cached.result.clone());
        }
        let topics = self.audited_topics();
        let twice = self.read_twice(&topics);
        let limit = if twice.is_empty() { READY } else { READY_TRANSACTIONS };
        // A look that is followed by others must not delay them: those read the log again.
        let again = look.looking.is_last();
        let take = |left| self.take(&running, step, &topics, left, &twice);
        let taken = until_settled(limit, again, take).await?;
        // List the histories before the facts: a life that begins in between counts as running by the facts.
        let mut paths = self.histories();
        paths.extend(self.collected.paths());
        let facts = self.facts(window, &taken);
        let own = Histories { paths, extents: taken.extents.clone(), facts };
        let mut result = own.judge(taken.read.log.clone()).await?;
        if let Some(log) = self.read_again(&running, step, (&taken, &twice), &result).await? {
            let second = own.judge(Some(log)).await?;
            result = second.after(&result);
        }
        self.search_disks(&running, step, &mut result).await?;
        self.dark.tell(&mut result);
        let messages =
            taken.bounds.ready.values().map(|b| u64::try_from(b.end - b.start).unwrap_or(0)).sum();
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.tell.emit(Event::Audited { messages, took_ms, topics });
        let result = Arc::new(result);
        let cached = Cached { stamp, window, began_us, result: result.clone() };
        *self.audits.cache.lock().expect("no holder panics") = Some(cached);
        Ok(result)
    }

    /// Reads the log once, as soon as it is ready, and records leader changes meanwhile.
    async fn take(
        &self,
        running: &Running,
        step: &StepRun,
        topics: &[String],
        limit: Duration,
        twice: &BTreeSet<String>,
    ) -> Result<Taken, StepError> {
        // First: the log must contain what had been recorded, or made of what was committed, before its end was
        // requested.
        let (at_us, left, extents) = (now_us(), self.left(), extents(&self.histories()));
        let (serving, committed) = (self.serving(), self.committed(running).await);
        self.talk(step, "the log to be readable to its end", None);
        let bounds = self.audit_bounds(topics, limit).await?;
        let read = self.read_log(running, step, (&bounds, twice), false).await?;
        let moved = moved(running, &bounds).await;
        Ok(Taken { at_us, extents, left, serving, committed, bounds, read, moved })
    }

    /// Where messages seem to be missing: has kplan's own reader read the log, and returns its file. None if no message
    /// seems to be missing, or if that is no second opinion: it was the first reader, or did not come to an end.
    async fn read_again(
        &self,
        running: &Running,
        step: &StepRun,
        (taken, twice): (&Taken, &BTreeSet<String>),
        result: &AuditResult,
    ) -> Result<Option<PathBuf>, StepError> {
        if taken.read.careful || result.losses() == 0 {
            return Ok(None);
        }
        let read = self.read_log(running, step, (&taken.bounds, twice), true).await?;
        let whole = read.unread.is_nothing() && moved(running, &taken.bounds).await.is_empty();
        Ok(read.log.filter(|_| whole))
    }

    /// What the clients recorded, without reading the log.
    pub fn heard(&self, window: Window) -> Result<Arc<AuditResult>, StepError> {
        let paths = self.histories();
        let taken = Taken { at_us: now_us(), left: self.left(), ..Taken::default() };
        let facts = self.facts(window, &taken);
        let files = open(paths)?;
        let sources = files.iter().map(|f| f as &dyn RunSource).collect();
        Ok(Arc::new(audit::audit(&AuditInput { sources, facts })))
    }

    /// The clients' histories, of all lives that began.
    fn histories(&self) -> Vec<PathBuf> {
        self.clients.all().iter().flat_map(|c| c.histories()).collect()
    }

    fn stamp(&self, view: &ClusterView) -> Stamp {
        let clients = self.clients.all();
        let mut parts = vec![self.breaks.count() as u64, self.topics.all_given().len() as u64];
        parts.push(self.collected.count());
        for client in &clients {
            let counts = client.counts();
            parts.extend([counts.sent, counts.done, counts.failed]);
            parts.extend(client.members.iter().map(|m| u64::from(m.life())));
            parts.push(u64::from(client.lives()));
            parts.push(u64::from(client.finished_us().is_some()));
        }
        parts.extend(
            self.topics
                .all()
                .values()
                .map(|t| u64::from(t.incarnations) * 2 + u64::from(t.deleted)),
        );
        // A new leader may have truncated the log, long after the fault that made it leader.
        parts.extend(view.partitions(None).flat_map(|(_, p)| {
            [p.leader.map_or(0, u64::from), p.leader_epoch.map_or(0, i64::from).cast_unsigned()]
        }));
        Stamp(parts)
    }

    /// Topics with messages of this plan.
    fn audited_topics(&self) -> Vec<String> {
        let mut topics: BTreeSet<String> = self
            .clients
            .all()
            .iter()
            .flat_map(|c| [c.topics(), c.read_topics()].concat())
            .collect();
        topics.extend(self.topics.all_given().into_iter().map(|g| g.topic));
        topics.extend(self.served_topics());
        let facts = self.topics.all();
        topics.into_iter().filter(|t| facts.get(t).is_none_or(|f| !f.deleted)).collect()
    }

    /// The clients that have read to the log's end and left.
    fn left(&self) -> BTreeSet<String> {
        let mut all = self.clients.all();
        all.retain(|c| !c.lives() && self.audits.ends_of(&c.name).is_some());
        all.iter().map(|c| c.name.clone()).collect()
    }

    /// The facts besides the histories.
    fn facts(&self, window: Window, taken: &Taken) -> Facts {
        let Taken { bounds, read, moved, .. } = taken;
        let mut facts = Facts { window, ..Facts::default() };
        for (name, known) in self.topics.all() {
            let topic = facts.topics.entry(name).or_default();
            topic.deleted = known.deleted;
            topic.made_anew_us = known.made_anew_us;
            topic.compacted = known.compacted;
        }
        for topic in self.plan.external.iter().flat_map(External::topics) {
            facts.topics.entry(topic.to_owned()).or_default().external = true;
        }
        for ((topic, partition), b) in &bounds.ready {
            let part = facts.partition(topic, *partition);
            part.end = Some(b.end);
            part.not_ready = read.unread.why(topic, *partition);
            if moved.contains(&(topic.clone(), *partition)) {
                part.not_ready = Some("its leader changed while it was read".to_owned());
            }
        }
        for ((topic, partition), why) in &bounds.not_ready {
            facts.partition(topic, *partition).not_ready = Some(why.clone());
        }
        for client in self.clients.all() {
            self.client_facts(&client, taken, &mut facts);
            self.collected_facts(&client, &mut facts);
        }
        for (group, committed) in &taken.committed {
            facts.groups.entry(group.clone()).or_default().committed = committed.clone();
        }
        facts.given = self
            .topics
            .all_given()
            .into_iter()
            .map(|g| audit::Given { topic: g.topic, partition: g.partition, hash: g.hash })
            .collect();
        facts
    }

    fn client_facts(&self, client: &Client, taken: &Taken, facts: &mut Facts) {
        let served = taken.serving.contains(&client.name);
        let running = served || client.runs_on(taken.at_us);
        let (work, numbers_itself) = (client.work(), client.numbers_itself());
        let mut own = ClientFacts { running, work, numbers_itself, ..ClientFacts::default() };
        if let (Some(sending), [topic]) = (client.sending(), client.topics().as_slice()) {
            (own.acks, own.idempotent) = (sending.acks, sending.idempotent);
            own.own_form = sending.own_form;
            let known = self.topics.all().remove(topic);
            // With another number of partitions, later producers send the same keys to other partitions.
            if !known.is_some_and(|t| t.repartitioned) {
                own.key_period = key_period(topic, sending.keys, facts, numbers_itself);
            }
        }
        if let Some((name, isolation)) = client.group() {
            let starts = self.later_partitions(name, &client.read_topics(), facts);
            let group = facts.groups.entry(name.to_owned()).or_default();
            group.isolation = isolation;
            group.starts.extend(starts);
            let name = &client.name;
            match self.audits.ends_of(name).filter(|_| !client.lives()) {
                Some(ends) if taken.left.contains(name) => group.ends.extend(ends),
                // Its later records may be missing in what was read.
                Some(_) => {
                    group.behind =
                        Some(format!("{name} was still reading when the log's end was requested"))
                }
                None => {
                    group.behind = Some(match client.lives() {
                        true => format!("{name} still reads: stop_client lets it read to the end"),
                        false => format!("{name} ended before it had read to the log's end"),
                    });
                }
            }
        }
        facts.clients.insert(client.name.clone(), own);
    }

    /// What a service wrote elsewhere counts as a partition of its own.
    fn collected_facts(&self, client: &Client, facts: &mut Facts) {
        let Some(work) = client.elsewhere() else { return };
        let part = facts.partition(&work.to, 0);
        part.end = self.collected.of(&client.name).map(|found| found.lines);
        part.not_ready = self.collected.lacks(client);
        facts.topics.entry(work.to.clone()).or_default().elsewhere = true;
        if let Some(own) = facts.clients.get_mut(&client.name) {
            own.work = Some(work);
        }
    }

    /// Partitions that were added after a group had begun to read: for the group they begin at 0.
    fn later_partitions(&self, group: &str, topics: &[String], facts: &Facts) -> Vec<audit::At> {
        let known = self.topics.all();
        let of_topic = |topic: &String| {
            let there = facts.topics.get(topic).into_iter().flat_map(|t| t.partitions.keys());
            let later = known.get(topic).map(|t| t.later_than(group, there.copied()));
            let at = |partition| audit::At { topic: topic.clone(), partition, offset: 0 };
            later.into_iter().flatten().map(at).collect::<Vec<_>>()
        };
        topics.iter().flat_map(of_topic).collect()
    }

    /// Reports an anomaly with its examples, once for each step, kind and place.
    pub fn tell_anomaly(&self, step: &StepRun, measure: Measure, verdict: &CountVerdict) {
        let finding = match verdict {
            CountVerdict::Counted(finding)
            | CountVerdict::Inconclusive { at_least: finding, .. } => finding,
        };
        let places: Vec<_> = finding.by.iter().map(|c| (&c.place, c.count)).collect();
        let key = (format!("{step} {} {places:?}", finding.count), measure);
        if finding.count == 0 || !self.audits.reported.lock().expect("no holder panics").insert(key)
        {
            return;
        }
        let who = |p: &audit::CountPlace| {
            p.consumer
                .clone()
                .or_else(|| p.client.clone())
                .or_else(|| p.group.clone())
                .unwrap_or_default()
        };
        let by = finding.by.iter().map(|c| AnomalyPlace {
            topic: c.place.topic.clone(),
            partition: c.place.partition,
            client: who(&c.place),
            count: c.count,
        });
        let ranges = audit::ranges(&finding.evidence);
        let examples = ranges.iter().map(|range| Example {
            topic: range.first.place.topic.clone(),
            partition: range.first.place.partition,
            offset: range.first.offset,
            client: range.first.place.client.clone(),
            life: range.first.life,
            sequence: range.first.sequence,
            count: range.count,
            mono_us: range.first.time_us,
            text: range.text(),
        });
        self.tell.emit(Event::Anomaly(Box::new(Anomaly {
            step: step.clone(),
            kind: measure.word(),
            count: finding.count,
            by: by.collect(),
            examples: examples.collect(),
            on_disk: finding.on_disk.clone(),
        })));
    }

    /// Reports what an assert counted in the whole log, with the number of acknowledged messages: so a
    /// plan without `record` has these numbers too.
    pub fn tell_counted(&self, step: &StepRun, measure: Measure, result: &AuditResult) {
        let of = |measure| match result.verdict(measure, &Scope::default()) {
            CountVerdict::Counted(finding) => Some((measure.word(), Value::from(finding.count))),
            CountVerdict::Inconclusive { .. } => None,
        };
        let Some(counted) = of(measure) else { return };
        let key = (format!("{step} counted {}", counted.1), measure);
        if self.audits.reported.lock().expect("no holder panics").insert(key) {
            let values = of(Measure::Acked).into_iter().chain([counted]).collect();
            self.tell.emit(Event::Recorded { step: step.clone(), values });
        }
    }
}

/// After how many messages of a partition the same key is used again.
fn key_period(
    topic: &str,
    keys: Option<u32>,
    facts: &Facts,
    numbers_itself: bool,
) -> BTreeMap<u32, u64> {
    let partitions = facts.topics.get(topic).map_or(0, |t| t.partitions.len());
    match (keys, u32::try_from(partitions)) {
        // Its number alone decides the key, in every partition.
        (Some(keys), Ok(partitions)) if numbers_itself => {
            (0..partitions).map(|partition| (partition, keys.into())).collect()
        }
        (Some(keys), Ok(partitions)) if partitions > 0 => {
            KeyPlan::new(partitions, Some(keys)).periods().collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Partitions whose leader has changed since their ends were requested.
async fn moved(running: &Running, bounds: &AuditBounds) -> BTreeSet<(String, u32)> {
    let view = running.observer.fresh().await;
    let moved = bounds.ready.iter().filter(|((t, p), b)| !b.same_leader(t, *p, &view));
    moved.map(|(key, _)| key.clone()).collect()
}

/// Opens histories as they are now. Producers' histories are opened last: a message in another history was sent
/// before that moment, so a message of a running producer never counts as a phantom.
fn open(mut paths: Vec<PathBuf>) -> Result<Vec<HistoryFile>, StepError> {
    paths.sort_by_key(|path| path.extension().is_some_and(|kind| kind == "sent"));
    paths
        .iter()
        .filter(|p| Path::exists(p))
        .map(|p| {
            HistoryFile::open(p)
                .map_err(|e| StepError::rig(format!("a history cannot be read: {e}")))
        })
        .collect()
}

/// How far each history is published now. A history that cannot be read now is left out: it cannot be read
/// later either, and makes everything inconclusive.
fn extents(paths: &[PathBuf]) -> BTreeMap<PathBuf, Extent> {
    let extent = |path: &PathBuf| HistoryFile::open(path).ok()?.extent().ok();
    paths.iter().filter_map(|path| Some((path.clone(), extent(path)?))).collect()
}

/// What is judged beside the log.
struct Histories {
    paths: Vec<PathBuf>,
    extents: BTreeMap<PathBuf, Extent>,
    facts: Facts,
}

impl Histories {
    /// Judges on a thread of its own: it needs a processor for a while, and other threads watch clocks and brokers.
    /// `log`: the file of what was found in the log.
    async fn judge(&self, log: Option<PathBuf>) -> Result<AuditResult, StepError> {
        let paths = self.paths.iter().cloned().chain(log).collect();
        let (mut extents, facts) = (self.extents.clone(), self.facts.clone());
        let work = move || {
            let published = |file: HistoryFile| {
                let extent = extents.remove(file.path()).unwrap_or_default();
                Published { file, extent }
            };
            let files: Vec<Published> = open(paths)?.into_iter().map(published).collect();
            let sources = files.iter().map(|f| f as &dyn RunSource).collect();
            Ok(audit::audit(&AuditInput { sources, facts }))
        };
        tokio::task::spawn_blocking(work).await.map_err(StepError::rig)?
    }
}
