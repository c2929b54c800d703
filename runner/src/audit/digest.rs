//! The histories, read once into sets, from which every anomaly is computed.

use super::book::{Book, LogPart, Names, Spot};
use super::diverged;
use super::groups::{Group, Groups};
use super::input::{AuditInput, Facts};
use super::log::{self, Log, Logs};
use super::numbered;
use super::placement::SentStream;
use super::result::Doubt;
use super::sends::{AllSends, File, client_facts, is_running};
use super::set::Set;
use crate::history::Writer;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// See the module.
pub(super) struct Digest<'a> {
    pub files: Vec<File<'a>>,
    pub facts: &'a Facts,
    pub names: Names,
    pub sends: AllSends,
    pub logs: Logs,
    pub groups: Groups,
    /// (client, life) of the producers that still ran.
    running: HashSet<(u16, u16)>,
    /// What clients of other programs reported wrongly.
    notes: Vec<String>,
}

impl<'a> Digest<'a> {
    /// Reads all histories. The order matters while clients still run: the answers are read before
    /// the log, the log before the deliveries, and the sent messages last, so that no message is found
    /// that is not known to have been sent, and no later message seems to be missing.
    pub fn new(input: &'a AuditInput<'a>) -> Digest<'a> {
        let facts = &input.facts;
        let mut names = Names::default();
        let files: Vec<File<'a>> = input
            .sources
            .iter()
            .map(|source| File {
                source: *source,
                topics: names.learn(source.header()),
                bad: RefCell::new(None),
            })
            .collect();
        for (name, _) in facts.clients.iter().filter(|(_, client)| client.derives().is_some()) {
            names.service_number(name);
        }
        let mut sends = AllSends::default();
        if let Some(since) = facts.window.since() {
            sends.narrow(&files, since);
            numbered::narrow(&mut sends, &files, facts);
        }
        sends.hear(&files, &names, facts);
        let logs = log::read(&files, &mut names, facts, &sends);
        let mut groups = Groups::read(&files, &mut names, facts, &sends, &logs);
        sends.send(&files, facts);
        let notes = numbered::settle(&mut sends, &files, (facts, &names), &logs, &groups);
        diverged::acknowledged(&files, facts, &logs, &mut groups.split, &mut groups.diverged);
        let alive = files.iter().map(File::header).filter(|h| is_running(facts, &files, h));
        let running = alive.map(|h| (h.client_id, h.life)).collect();
        Digest { files, facts, names, sends, logs, groups, running, notes }
    }

    /// The files of the newest audit.
    pub fn newest_audit(&self) -> impl Iterator<Item = &File<'a>> {
        log::newest_audit(&self.files)
    }

    /// The names of each group's consumers.
    pub fn consumers(&self) -> BTreeMap<String, Vec<String>> {
        let names = |group: &Group| group.consumers.keys().map(|c| self.names.client(*c)).collect();
        self.groups.by.iter().map(|(name, group)| (name.clone(), names(group))).collect()
    }

    /// The notes for a reader of the counts.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        for (name, _) in self.facts.clients.iter().filter(|(_, c)| c.running) {
            notes.push(format!(
                "{name} was still running: judged for what it had recorded before the log's end was requested"
            ));
        }
        for (part, log) in &self.logs {
            let astray = log.copies.iter().filter(|(stream, _)| stream.source != part.1);
            let astray: u64 = astray.map(|(_, copies)| copies.found.len()).sum();
            if astray > 0 {
                let (topic, partition) = (self.names.topic(part.0), part.1);
                notes.push(format!(
                    "{astray} messages in {topic}/{partition} were sent to another partition"
                ));
            }
        }
        notes
    }

    /// Doubts about everything, one for each history that could not be read completely.
    pub fn damage(&self) -> Vec<Doubt> {
        let damaged = self.files.iter().filter_map(|f| Some((f.header(), f.bad.borrow().clone()?)));
        damaged
            .map(|(header, why)| Doubt {
                topic: None,
                partition: None,
                client: None,
                group: header.group.clone(),
                service: None,
                reason: format!(
                    "the history of {} (life {}) is damaged: {why}",
                    header.client, header.life
                ),
            })
            .collect()
    }

    /// All partitions with sent, delivered or found messages whose log is not known to its end, with the
    /// reason.
    pub fn unread(&self) -> impl Iterator<Item = (LogPart, String)> + '_ {
        let mut parts: BTreeSet<LogPart> = self.logs.keys().copied().collect();
        parts.extend(self.sends.by.keys().map(|(topic, stream)| (*topic, stream.source)));
        parts.extend(self.groups.by.values().flat_map(|g| g.parts.keys()));
        parts.into_iter().filter(|part| !self.is_deleted(part.0)).filter_map(|part| {
            let name = format!("{}/{}", self.names.topic(part.0), part.1);
            match self.logs.get(&part) {
                None => Some((part, format!("the log of {name} was not read"))),
                Some(Log { not_ready: Some(reason), .. }) if self.is_elsewhere(part.0) => {
                    Some((part, format!("the {} is not known: {reason}", self.names.topic(part.0))))
                }
                Some(Log { not_ready: Some(reason), .. }) => Some((
                    part,
                    format!("the log of {name} could not be read to its end: {reason}"),
                )),
                Some(Log { end: None, .. }) => {
                    Some((part, format!("the log of {name} was not read to its end")))
                }
                Some(_) => None,
            }
        })
    }

    /// Whether a log was read to its end.
    pub fn is_read(&self, part: LogPart) -> bool {
        self.logs.get(&part).is_some_and(|log| log.end.is_some() && log.not_ready.is_none())
    }

    /// The logs of topics.
    pub fn topic_logs(&self) -> impl Iterator<Item = (&LogPart, &Log)> {
        self.logs.iter().filter(|(part, _)| !self.is_elsewhere(part.0))
    }

    /// Adds doubts to a measure of the log for every log of a topic that is not known to its end.
    pub fn doubt_unread(&self, book: &mut Book) {
        for (part, reason) in self.unread().filter(|(part, _)| !self.is_elsewhere(part.0)) {
            book.doubt(&self.names, Spot::of(part, None), reason);
        }
    }

    /// Adds doubts to a measure of the whole log for every log that does not hold all that was written to it.
    pub fn doubt_removed(&self, book: &mut Book) {
        for (part, log) in self.logs.iter().filter(|(part, _)| !self.is_deleted(part.0)) {
            if let Some(why) = log.removed() {
                let place = format!("{}/{}", self.names.topic(part.0), part.1);
                let reason =
                    format!("the log of {place} does not hold all that was written: {why}");
                book.doubt(&self.names, Spot::of(*part, None), reason);
            }
        }
    }

    /// Adds doubts to a measure that does not judge compacted topics, for every such topic.
    pub fn doubt_compacted(&self, book: &mut Book) {
        let compacted =
            self.logs.iter().filter(|(part, l)| l.compacted && !self.is_deleted(part.0));
        for (part, _) in compacted {
            let place = format!("{}/{}", self.names.topic(part.0), part.1);
            let reason = format!("{place} is compacted: an offset without a message shows nothing");
            book.doubt(&self.names, Spot::of(*part, None), reason);
        }
    }

    /// The sequences of a set that a stream never sent. A life that is still running may have sent
    /// sequences after all known ones.
    pub fn unsent(&self, topic: u16, stream: SentStream, seqs: &Set) -> Set {
        let sent = self.sends.by.get(&(topic, stream)).map(|s| &s.sent);
        let mut unsent = sent.map_or_else(|| seqs.clone(), |sent| seqs.minus(sent));
        if self.running.contains(&(stream.client, stream.life)) {
            unsent.clip(0..sent.and_then(Set::max).unwrap_or(0));
        }
        if !unsent.is_empty() && self.numbers_itself(stream.client) {
            // It may choose another partition each time that it sends a message.
            let same =
                |other: &SentStream| (other.client, other.life) == (stream.client, stream.life);
            let sent = self.sends.by.iter().filter(|((t, other), _)| *t == topic && same(other));
            sent.for_each(|(_, other)| unsent.remove(&other.sent));
        }
        unsent
    }

    /// Whether a client numbers its messages over all partitions of a topic: see [`super::numbered`].
    pub fn numbers_itself(&self, client: u16) -> bool {
        client_facts(self.facts, &self.names.client(client)).numbers_itself
    }

    /// Whether something that writes to a topic still ran.
    pub fn is_written(&self, topic: u16) -> bool {
        let mut producers = self.files.iter().filter(|f| f.header().writer == Writer::ProducerSent);
        let runs = |file: &File<'_>| is_running(self.facts, &self.files, file.header());
        let name = self.names.topic(topic);
        producers.any(|file| file.topics.contains(&topic) && runs(file))
            || self.facts.clients.values().any(|client| {
                client.running && client.derives().is_some_and(|work| work.to == name)
            })
    }

    /// Whether the topic is gone.
    pub fn is_deleted(&self, topic: u16) -> bool {
        self.facts.topics.get(&self.names.topic(topic)).is_some_and(|t| t.deleted)
    }

    /// Whether it is no topic, but what a service wrote elsewhere.
    fn is_elsewhere(&self, topic: u16) -> bool {
        self.facts.topics.get(&self.names.topic(topic)).is_some_and(|t| t.elsewhere)
    }

    /// Removes from a set of a stream's sequences those with a copy in any partition of the topic,
    /// also in a transaction that had not ended.
    pub fn remove_found(&self, topic: u16, stream: SentStream, set: &mut Set) {
        for (_, log) in self.logs.range((topic, 0)..=(topic, u32::MAX)) {
            if let Some(copies) = log.copies.get(&stream) {
                set.remove(&copies.found);
                set.remove(&copies.open);
            }
        }
    }

    /// The sequences of a stream with a copy in any partition of the topic.
    pub fn found(&self, topic: u16, stream: SentStream) -> Set {
        let mut found = Set::default();
        for (_, log) in self.logs.range((topic, 0)..=(topic, u32::MAX)) {
            if let Some(copies) = log.copies.get(&stream) {
                found.unite(&copies.found);
            }
        }
        found
    }
}
