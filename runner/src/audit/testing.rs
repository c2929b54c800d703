//! Histories for tests: written message by message, read as runs.

use super::Measure;
use super::input::{AuditInput, ClientFacts, Facts, GroupFacts, MemorySource, RunSource};
use super::result::{AuditResult, CountVerdict, Evidence, Scope};
use crate::history::{Extent, Header, Mark, MessageRun, RUN_SPAN_US, Writer};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const TOPIC: &str = "t";

/// A sender: (client number, life).
pub(super) type Who = (u16, u16);

/// The outcome of a message for its producer, and whether the log gets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Acked,
    /// Acknowledged, and not in the log.
    Dropped,
    Failed,
    /// Failed, yet in the log.
    FailedAndWritten,
    /// No answer, in the log.
    Silent,
    /// No answer, not in the log.
    SilentAndGone,
}

/// One topic, producers 1 to 9 (named P1 ...), consumers from 10 on (C10 ...) in the group `g`.
/// All runs are of one message until [`World::sources`] merges them.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub facts: Facts,
    pub sent: BTreeMap<Who, Vec<MessageRun>>,
    pub heard: BTreeMap<Who, Vec<MessageRun>>,
    pub log: BTreeMap<u32, Vec<MessageRun>>,
    pub hidden: BTreeSet<(u32, i64)>,
    pub open: BTreeSet<(u32, i64)>,
    pub starts: BTreeMap<u32, i64>,
    pub ends: BTreeMap<u32, i64>,
    pub taken: BTreeMap<Who, Vec<MessageRun>>,
    /// What the audit found in partition 0 of a second topic, `u`, whose log ends at [`World::u_end`].
    pub second: Vec<MessageRun>,
    pub u_end: i64,
    clock: i64,
    /// How many runs each history held when the log's end had not yet been asked for.
    published: Option<[BTreeMap<Who, usize>; 3]>,
    /// The log that the audit reads, and its ends, where it went on since.
    asked: Option<Asked>,
}

/// Logs by partition, and their ends.
type Asked = (BTreeMap<u32, Vec<MessageRun>>, BTreeMap<u32, i64>);

pub(super) fn run(mark: Mark, partition: u32, who: Who, seq: u64, offset: i64) -> MessageRun {
    MessageRun {
        mark,
        topic: 0,
        partition,
        client: who.0,
        life: who.1,
        source_partition: partition,
        first_seq: seq,
        first_offset: offset,
        count: 1,
        first_us: 0,
        last_us: 0,
        error: 0,
        epoch: 0,
    }
}

impl World {
    /// A world with that many empty partitions and a group that has caught up.
    pub fn new(partitions: u32) -> World {
        let mut world = World::default();
        world.facts.groups.insert("g".into(), GroupFacts::default());
        for partition in 0..partitions {
            world.log.insert(partition, Vec::new());
            world.ends.insert(partition, 0);
            world.starts.insert(partition, 0);
        }
        world
    }

    pub fn client(&mut self, name: &str) -> &mut ClientFacts {
        self.facts.clients.entry(name.into()).or_default()
    }

    /// Time goes on by a millisecond.
    pub fn tick(&mut self) -> i64 {
        self.clock += 1000;
        self.clock
    }

    pub fn stamp(&mut self, run: MessageRun) -> MessageRun {
        let now = self.tick();
        MessageRun { first_us: now, last_us: now, ..run }
    }

    /// Sends messages of one fate; answers the first one's sequence.
    pub fn send(&mut self, who: Who, partition: u32, count: u64, fate: Fate) -> u64 {
        self.send_in(who, partition, count, fate, 0)
    }

    /// The same, in a transaction.
    pub fn send_in(&mut self, who: Who, partition: u32, count: u64, fate: Fate, epoch: u32) -> u64 {
        let sent = self.sent.entry(who).or_default();
        let first = sent.iter().filter(|r| r.partition == partition).count() as u64;
        for seq in first..first + count {
            let sending = self.stamp(run(Mark::Sent, partition, who, seq, -1));
            self.sent.entry(who).or_default().push(MessageRun { epoch, ..sending });
            let mut offset = self.ends[&partition];
            if !matches!(fate, Fate::Failed | Fate::SilentAndGone | Fate::Dropped) {
                offset = self.append(run(Mark::Found, partition, who, seq, -1));
            }
            let heard = match fate {
                Fate::Acked | Fate::Dropped => run(Mark::Acked, partition, who, seq, offset),
                Fate::Failed | Fate::FailedAndWritten => {
                    MessageRun { error: 7, ..run(Mark::Failed, partition, who, seq, -1) }
                }
                Fate::Silent | Fate::SilentAndGone => continue,
            };
            let heard = self.stamp(MessageRun { epoch, ..heard });
            self.heard.entry(who).or_default().push(heard);
        }
        first
    }

    /// Ends a transaction; an aborted one's messages from `from` on are hidden.
    pub fn end(&mut self, who: Who, epoch: u32, mark: Mark) {
        let end = self.stamp(MessageRun { epoch, ..run(mark, 0, who, 0, -1) });
        self.heard.entry(who).or_default().push(MessageRun { count: 0, ..end });
        for partition in self.log.keys().copied().collect::<Vec<_>>() {
            let own: Vec<MessageRun> =
                self.sent[&who].iter().filter(|r| r.epoch == epoch).copied().collect();
            if own.iter().all(|r| r.partition != partition) {
                continue;
            }
            for found in &self.log[&partition] {
                let is =
                    |r: &MessageRun| r.partition == partition && r.first_seq == found.first_seq;
                if (found.client, found.life) == who && own.iter().any(is) && mark == Mark::Aborted
                {
                    self.hidden.insert((partition, found.first_offset));
                }
            }
            // The marker takes an offset.
            *self.ends.entry(partition).or_default() += 1;
        }
    }

    /// The audit looks how far the histories are published.
    pub fn snapshot(&mut self) {
        let lengths =
            |by: &BTreeMap<Who, Vec<MessageRun>>| by.iter().map(|(w, r)| (*w, r.len())).collect();
        self.published = Some([&self.sent, &self.heard, &self.taken].map(lengths));
    }

    /// The audit asks for the log's end: what comes later is in the histories, and not in what it reads.
    pub fn ask_end(&mut self) {
        self.asked = Some((self.log.clone(), self.ends.clone()));
    }

    /// Appends to the log; answers the offset.
    pub fn append(&mut self, entry: MessageRun) -> i64 {
        let end = self.ends.entry(entry.partition).or_default();
        let offset = *end;
        *end += 1;
        let entry = self.stamp(MessageRun { first_offset: offset, ..entry });
        self.log.entry(entry.partition).or_default().push(entry);
        offset
    }

    /// The audit's reader adds a mark to a message that it found.
    pub fn append_mark(&mut self, mark: MessageRun) {
        self.log.entry(mark.partition).or_default().push(mark);
    }

    /// Cuts a partition's log back to an offset.
    pub fn truncate(&mut self, partition: u32, to: i64) {
        if let Some(log) = self.log.get_mut(&partition) {
            log.retain(|r| r.first_offset < to);
        }
        self.ends.insert(partition, to);
    }

    /// Removes what lies below an offset, as retention does.
    pub fn expire(&mut self, partition: u32, start: i64) {
        if let Some(log) = self.log.get_mut(&partition) {
            log.retain(|r| r.first_offset >= start);
        }
        self.starts.insert(partition, start);
    }

    /// Tells a consumer of an assignment, a reset, or the like.
    pub fn tell(&mut self, who: Who, mark: Mark, partition: u32, offset: i64) {
        let reported =
            self.stamp(MessageRun { count: 0, ..run(mark, partition, (0, 0), 0, offset) });
        self.taken.entry(who).or_default().push(reported);
    }

    /// Delivers what the log holds in a range of offsets, without what is hidden.
    pub fn deliver(&mut self, who: Who, partition: u32, offsets: std::ops::Range<i64>) {
        let log = self.log.get(&partition).cloned().unwrap_or_default();
        for found in log.into_iter().filter(|r| offsets.contains(&r.first_offset)) {
            if !self.hidden.contains(&(partition, found.first_offset)) {
                self.give(who, found);
            }
        }
    }

    /// Sends three messages, then what `make` makes of the first one or at the end of the log, then a message that
    /// dates what lies before it.
    pub fn around(&mut self, make: impl FnOnce(&mut Self, u64, i64)) {
        let first = self.send((1, 1), 0, 3, Fate::Acked);
        let end = self.ends[&0];
        make(self, first, end);
        self.send((1, 1), 0, 1, Fate::Acked);
    }

    /// Delivers one message.
    pub fn give(&mut self, who: Who, found: MessageRun) {
        let mark = if found.mark == Mark::Found { Mark::Delivered } else { found.mark };
        let given = self.stamp(MessageRun { mark, ..found });
        self.taken.entry(who).or_default().push(given);
    }

    /// Copier 10 copies a message of partition 0 into the second topic, where it stands as its own.
    pub fn copy(&mut self, of: Who, seq: u64) {
        let who = (10, 1);
        let number = self.sent.get(&who).map_or(0, Vec::len) as u64;
        let offset = self.u_end;
        self.u_end += 1;
        let own = |mark, offset| MessageRun { topic: 1, ..run(mark, 0, who, number, offset) };
        let sent = self.stamp(own(Mark::Sent, -1));
        self.sent.entry(who).or_default().push(sent);
        let heard = self.stamp(own(Mark::Acked, offset));
        self.heard.entry(who).or_default().push(heard);
        self.second.push(own(Mark::Found, offset));
        self.second.push(MessageRun { epoch: 10, ..run(Mark::Copied, 0, of, seq, offset) });
    }

    /// A service writes a message into the second topic in which the identities of these messages of partition 0 of
    /// one sender stand; answers its offset.
    pub fn derive(&mut self, of: Who, seqs: &[u64]) -> i64 {
        let offset = self.u_end;
        self.u_end += 1;
        let hash = u64::MAX - offset.unsigned_abs();
        self.second.push(run(Mark::Foreign, 0, (0, 0), hash, offset));
        self.second.extend(seqs.iter().map(|seq| run(Mark::Derived, 0, of, *seq, offset)));
        offset
    }

    /// Time goes on so far that no run holds what was before and what comes after; answers when it is.
    pub fn pause(&mut self) -> i64 {
        self.clock += 2 * RUN_SPAN_US;
        self.tick()
    }

    /// A consumer is assigned every partition from the start and reads all of it.
    pub fn read_all(&mut self, who: Who) {
        for partition in self.log.keys().copied().collect::<Vec<_>>() {
            self.tell(who, Mark::Assigned, partition, self.starts[&partition]);
            self.deliver(who, partition, 0..i64::MAX);
        }
    }

    /// The histories, runs merged to at most `limit` messages.
    pub fn sources(&self, limit: u64) -> Vec<MemorySource> {
        let topics = if self.second.is_empty() { &[TOPIC][..] } else { &[TOPIC, "u"] };
        let header = |writer, who: Who, prefix: &str| Header {
            run: "r".into(),
            writer,
            client: format!("{prefix}{}", who.0),
            client_id: who.0,
            member: 1,
            life: who.1,
            topics: topics.iter().map(ToString::to_string).collect(),
            group: (writer == Writer::Consumer).then(|| "g".into()),
            pid: 1,
        };
        let mut sources = Vec::new();
        let files = [
            (Writer::ProducerSent, "P", &self.sent),
            (Writer::ProducerHeard, "P", &self.heard),
            (Writer::Consumer, "C", &self.taken),
        ];
        for (i, (writer, prefix, by)) in files.into_iter().enumerate() {
            for (who, runs) in by {
                let header = header(writer, *who, prefix);
                let runs = merge(runs, limit);
                let published = self
                    .published
                    .as_ref()
                    .map(|lengths| extent(&runs, lengths[i].get(who).copied().unwrap_or(0) as u64));
                sources.push(MemorySource { header, runs, published });
            }
        }
        let mut audit = Vec::new();
        let (logs, ends) = match &self.asked {
            Some((logs, ends)) => (logs, ends),
            None => (&self.log, &self.ends),
        };
        for (partition, log) in logs {
            let mark =
                |mark, offset| MessageRun { count: 0, ..run(mark, *partition, (0, 0), 0, offset) };
            audit.push(mark(Mark::LogStart, self.starts[partition]));
            audit.extend(merge(log, limit));
            audit.push(mark(Mark::LogEnd, ends[partition]));
        }
        for (mark, set) in [(Mark::FoundAborted, &self.hidden), (Mark::FoundOpen, &self.open)] {
            audit.extend(set.iter().map(|(p, offset)| run(mark, *p, (0, 0), 0, *offset)));
        }
        let header = header(Writer::Audit, (0, 1), "audit");
        if !self.second.is_empty() {
            let ends = [(Mark::LogStart, 0), (Mark::LogEnd, self.u_end)];
            let ends =
                ends.map(|(mark, at)| MessageRun { count: 0, ..run(mark, 0, (0, 0), 0, at) });
            let runs = ends.iter().chain(&self.second);
            audit.extend(runs.map(|run| MessageRun { topic: 1, ..*run }));
        }
        sources.push(MemorySource { header, runs: audit, published: None });
        sources
    }

    pub fn audit(&self, limit: u64) -> AuditResult {
        let sources = self.sources(limit);
        let sources = sources.iter().map(|s| s as &dyn RunSource).collect();
        super::audit(&AuditInput { sources, facts: self.facts.clone() })
    }

    /// The count of one measure, which must be certain.
    pub fn count(&self, measure: Measure) -> u64 {
        match self.audit(64).verdict(measure, &Scope::default()) {
            CountVerdict::Counted(finding) => finding.count,
            CountVerdict::Inconclusive { reason, .. } => {
                panic!("{measure:?} is inconclusive: {reason}")
            }
        }
    }

    /// The reason why a measure is inconclusive, which it must be, with its certain part.
    pub fn doubt(&self, measure: Measure) -> (String, u64) {
        match self.audit(64).verdict(measure, &Scope::default()) {
            CountVerdict::Inconclusive { reason, at_least } => (reason, at_least.count),
            CountVerdict::Counted(finding) => panic!("{measure:?} is certain: {finding:?}"),
        }
    }

    pub fn evidence(&self, measure: Measure) -> Vec<Evidence> {
        self.audit(64).measures.remove(&measure).unwrap_or_default().evidence
    }
}

/// The extent of merged runs that the first `single` runs of them make.
fn extent(merged: &[MessageRun], single: u64) -> Extent {
    let (mut left, mut settled) = (single, 0);
    for run in merged {
        if left < run.count.max(1) {
            break;
        }
        left -= run.count.max(1);
        settled += 1;
    }
    Extent::new(settled, if left > 0 { vec![left] } else { Vec::new() })
}

/// Merges neighbours that continue each other, as the writers do, in files of several partitions too.
pub(super) fn merge(runs: &[MessageRun], limit: u64) -> Vec<MessageRun> {
    let mut merged: Vec<MessageRun> = Vec::new();
    for run in runs {
        let open = merged.last_mut().filter(|last| {
            let offsets = match (last.first_offset, run.first_offset) {
                (-1, -1) => true,
                (a, b) => a >= 0 && b == a + last.count as i64,
            };
            let plain = !matches!(run.mark, Mark::Foreign | Mark::Corrupt) && run.count > 0;
            let same = MessageRun {
                first_seq: last.first_seq,
                first_offset: last.first_offset,
                count: last.count,
                first_us: last.first_us,
                last_us: last.last_us,
                ..*run
            };
            plain
                && **last == same
                && offsets
                && last.count > 0
                && run.first_seq == last.first_seq + last.count
                && last.count < limit
                && run.last_us - last.first_us <= RUN_SPAN_US
        });
        match open {
            Some(last) => {
                last.count += 1;
                last.last_us = run.last_us;
            }
            None => merged.push(*run),
        }
    }
    merged
}
