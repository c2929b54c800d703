//! The outcome of every message, as its producer knows it.
//!
//! The outcome of a send is **acked** (a delivery report without error, `acks` not 0; in a
//! transaction: the commit succeeded), **failed** (a final error), **aborted** (its transaction was)
//! or **unknown** (no report: the life died; or the transaction's end is not known; or `acks=0`,
//! whose reports say nothing).

use super::book::{LogPart, Names};
use super::input::{Acks, ClientFacts, Facts, RunSource, Window};
use super::placement::{OffsetSpan, SentStream};
use super::set::Set;
use crate::history::{Header, Mark, MessageRun, Writer};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// No run is this long and no number this high: a client never writes such a record.
const COUNT_LIMIT: u64 = 1 << 32;
const NUMBER_LIMIT: u64 = 1 << 60;
const OFFSET_LIMIT: i64 = 1 << 60;

/// The messages of one producer life on one partition, as sets of sequences.
#[derive(Clone, Debug, Default)]
pub(super) struct Sends {
    /// Reserved before they were sent. Not narrowed by `from`.
    pub sent: Set,
    /// Acknowledged (committed).
    pub acked: Set,
    /// The part of `acked` that the log must contain: of this incarnation of the topic, and known before the
    /// log's end was requested.
    pub owed: Set,
    /// The part of `acked` in a deleted incarnation.
    pub deleted: Set,
    /// The part of `acked` that was in a transaction.
    pub committed: Set,
    pub failed: Set,
    /// In an aborted transaction.
    pub aborted: Set,
    /// The same for messages of any age: a later read of such a message counts too.
    pub taken_back: Set,
    /// Failed, by code.
    pub errors: BTreeMap<i32, u64>,
    /// The first sequence that was sent at or after [`Window::Since`].
    pub from: u64,
    /// The life is still running: messages without an answer may still get one.
    pub running: bool,
}

/// All of them, in a fixed order.
#[derive(Clone, Debug, Default)]
pub(super) struct AllSends {
    pub by: BTreeMap<(u16, SentStream), Sends>,
    ends: HashMap<(u16, u16), Ends>,
}

#[derive(Clone, Debug, Default)]
struct Ends {
    committed: Set,
    aborted: Set,
    /// Committed, and known before the log's end was requested.
    early: Set,
}

/// A history file with its numbers translated.
pub(super) struct File<'a> {
    pub source: &'a dyn RunSource,
    pub topics: Vec<u16>,
    /// Why not all of it could be read.
    pub bad: RefCell<Option<String>>,
}

impl<'a> File<'a> {
    pub fn header(&self) -> &'a Header {
        self.source.header()
    }

    /// The plausible runs. Runs with impossible numbers and unreadable records are left out, and
    /// recorded in `bad`.
    fn numbered(&self) -> impl Iterator<Item = (u64, MessageRun)> + '_ {
        (0..).zip(self.source.runs()).filter_map(|(index, run)| match run {
            Ok(run) => {
                let hashed = matches!(run.mark, Mark::Foreign | Mark::Corrupt)
                    || (run.mark == Mark::Copied && run.client == 0);
                let sane = run.count <= COUNT_LIMIT
                    && (hashed || run.first_seq <= NUMBER_LIMIT)
                    && run.first_offset <= OFFSET_LIMIT;
                if !sane {
                    self.blame("it contains a run with impossible numbers");
                }
                sane.then_some((index, run))
            }
            Err(error) => {
                self.blame(&error.to_string());
                None
            }
        })
    }

    /// The same with their partitions, as far as the header knows the topic.
    pub fn runs(&self) -> impl Iterator<Item = (LogPart, MessageRun)> + '_ {
        self.published().map(|(part, run, _)| (part, run))
    }

    /// The same, each with how many of its messages were published before the log's end was
    /// requested.
    pub fn published(&self) -> impl Iterator<Item = (LogPart, MessageRun, u64)> + '_ {
        self.numbered().filter_map(|(index, run)| {
            let topic = self.topics.get(usize::from(run.topic));
            if topic.is_none() {
                self.blame("it contains a run of a topic that its header does not name");
            }
            let early = match self.source.published() {
                Some(extent) => extent.messages(index, run.count),
                None => run.count,
            };
            topic.map(|t| ((*t, run.partition), run, early))
        })
    }

    fn blame(&self, what: &str) {
        let mut bad = self.bad.borrow_mut();
        if bad.is_none() {
            *bad = Some(what.to_owned());
        }
    }
}

/// Whether a file's life is the newest of a client that is still running.
pub(super) fn is_running(facts: &Facts, files: &[File<'_>], header: &Header) -> bool {
    let newest = files
        .iter()
        .map(File::header)
        .filter(|h| h.client_id == header.client_id && h.member == header.member)
        .map(|h| h.life)
        .max();
    facts.clients.get(&header.client).is_some_and(|c| c.running) && newest == Some(header.life)
}

/// The facts of a client, or the defaults.
pub(super) fn client_facts<'a>(facts: &'a Facts, name: &str) -> &'a ClientFacts {
    static NONE: std::sync::LazyLock<ClientFacts> = std::sync::LazyLock::new(ClientFacts::default);
    facts.clients.get(name).unwrap_or(&NONE)
}

/// The stream of a producer's run: the file's header decides, not the run's own fields.
pub(super) fn stream_of(header: &Header, run: &MessageRun) -> SentStream {
    SentStream { client: header.client_id, life: header.life, source: run.partition }
}

/// A run's messages with their offsets; `None` where it knows no offsets.
pub(super) fn span_of(stream: SentStream, run: &MessageRun) -> Option<OffsetSpan> {
    let offset = u64::try_from(run.first_offset).ok()?;
    (run.count > 0).then_some(OffsetSpan { stream, offset, seq: run.first_seq, count: run.count })
}

/// How many messages of a run were sent before a time: intended send times are evenly spaced.
fn sent_before(run: &MessageRun, us: i64) -> u64 {
    let span = run.last_us.saturating_sub(run.first_us).max(1).unsigned_abs();
    let before = us.saturating_sub(run.first_us).max(0).unsigned_abs().min(span);
    let steps = u128::from(run.count.saturating_sub(1)) * u128::from(before);
    u64::try_from(steps.div_ceil(u128::from(span))).unwrap_or(run.count)
}

impl AllSends {
    /// What a stream sent, to the topic that it sends to.
    pub fn of(&self, stream: SentStream) -> Option<&Sends> {
        let topics = self.by.last_key_value().map_or(0, |((topic, _), _)| topic + 1);
        (0..topics).find_map(|topic| self.by.get(&(topic, stream)))
    }

    /// Reads the answers of producers. [`AllSends::narrow`] is called before it, if at all.
    pub fn hear(&mut self, files: &[File<'_>], names: &Names, facts: &Facts) {
        for file in files.iter().filter(|f| f.header().writer == Writer::ProducerHeard) {
            self.hear_ends(file, facts.window);
            let client = client_facts(facts, &file.header().client);
            for (part, run, early) in file.published() {
                let topic = facts.topics.get(&names.topic(part.0));
                let made_anew = topic.and_then(|t| t.made_anew_us);
                let gone = topic.is_some_and(|t| t.deleted)
                    || made_anew.is_some_and(|made| run.last_us < made);
                if facts.window.at_rest().is_none() || facts.window.shows(&run) {
                    self.hear_run(file.header(), part, &run, client.acks, gone, early);
                }
            }
        }
        self.by.values_mut().for_each(Sends::shrink);
    }

    fn hear_ends(&mut self, file: &File<'_>, window: Window) {
        let ends = self.ends.entry((file.header().client_id, file.header().life)).or_default();
        for (index, run) in file.numbered() {
            let epoch = u64::from(run.epoch);
            let one = epoch..epoch + 1;
            match run.mark {
                Mark::Committed if window.at_rest().is_none() || window.shows(&run) => {
                    ends.committed.add(one.clone());
                    if file.source.published().is_none_or(|extent| extent.holds(index)) {
                        ends.early.add(one);
                    }
                }
                Mark::Aborted => _ = ends.aborted.add(one),
                _ => {}
            }
        }
    }

    /// `early`: how many messages of the run were known before the log's end was requested.
    fn hear_run(
        &mut self,
        header: &Header,
        part: LogPart,
        run: &MessageRun,
        acks: Acks,
        gone: bool,
        early: u64,
    ) {
        if !matches!(run.mark, Mark::Acked | Mark::Failed) {
            return;
        }
        let ends = self.ends.get(&(header.client_id, header.life));
        let epoch = u64::from(run.epoch);
        let has = |of: fn(&Ends) -> &Set| epoch != 0 && ends.is_some_and(|e| of(e).has(epoch));
        let (committed, aborted) = (has(|e| &e.committed), has(|e| &e.aborted));
        let settled = epoch == 0 || has(|e| &e.early);
        let sends = self.by.entry((part.0, stream_of(header, run))).or_default();
        let from = run.first_seq.max(sends.from);
        let seqs = from..run.first_seq + run.count;
        if aborted && run.mark == Mark::Acked {
            sends.taken_back.add(run.first_seq..seqs.end);
        }
        if seqs.is_empty() {
            return;
        }
        if run.mark == Mark::Failed {
            let fresh = sends.failed.add(seqs);
            *sends.errors.entry(run.error).or_default() += fresh;
        } else if aborted {
            sends.aborted.add(seqs);
        } else if acks != Acks::None && (epoch == 0 || committed) {
            if committed {
                sends.committed.add(seqs.clone());
            }
            sends.acked.add(seqs.clone());
            if gone {
                sends.deleted.add(seqs);
            } else if settled {
                sends.owed.add(from..(run.first_seq + early).max(from));
            }
        }
    }

    /// Narrows all sets except [`Sends::sent`] to the messages sent at or after a time.
    pub fn narrow(&mut self, files: &[File<'_>], since_us: i64) {
        for file in files.iter().filter(|f| f.header().writer == Writer::ProducerSent) {
            for (part, run) in file.runs() {
                let fresh = || Sends { from: u64::MAX, ..Sends::default() };
                let key = (part.0, stream_of(file.header(), &run));
                let sends = self.by.entry(key).or_insert_with(fresh);
                if run.last_us >= since_us && run.count > 0 {
                    sends.from = sends.from.min(run.first_seq + sent_before(&run, since_us));
                }
            }
        }
    }

    /// Reads the sent messages. Called last: every message that was found in the log or delivered until now
    /// was reserved before, even while producers run.
    pub fn send(&mut self, files: &[File<'_>], facts: &Facts) {
        for file in files.iter().filter(|f| f.header().writer == Writer::ProducerSent) {
            let running = is_running(facts, files, file.header());
            let ends = self.ends.get(&(file.header().client_id, file.header().life));
            for (part, run) in file.runs().filter(|(_, r)| r.mark == Mark::Sent) {
                let sends = self.by.entry((part.0, stream_of(file.header(), &run))).or_default();
                let seqs = run.first_seq..run.first_seq + run.count;
                let epoch = u64::from(run.epoch);
                if epoch != 0 && ends.is_some_and(|e| e.aborted.has(epoch)) {
                    sends.aborted.add(seqs.start.max(sends.from)..seqs.end);
                }
                sends.sent.add(seqs);
                sends.running = running;
            }
        }
        for sends in self.by.values_mut() {
            let failed = std::mem::take(&mut sends.failed);
            sends.aborted.remove(&failed);
            sends.failed = failed;
            sends.shrink();
        }
    }
}

impl Sends {
    /// Sent, in scope, without a known outcome.
    pub fn unknown(&self) -> Set {
        let mut unknown = self.sent.clone();
        unknown.clip(self.from..u64::MAX);
        for known in [&self.acked, &self.failed, &self.aborted] {
            unknown.remove(known);
        }
        unknown
    }

    /// How many were sent, in scope.
    pub fn sent(&self) -> u64 {
        self.sent.count(self.from..u64::MAX)
    }

    fn shrink(&mut self) {
        let sets = [&mut self.sent, &mut self.acked, &mut self.owed, &mut self.deleted];
        sets.into_iter().for_each(Set::shrink);
        let sets = [&mut self.committed, &mut self.failed, &mut self.aborted, &mut self.taken_back];
        sets.into_iter().for_each(Set::shrink);
    }
}
