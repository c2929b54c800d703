//! What the audit found in each partition.

use super::book::{LogPart, Names};
use super::given::Given;
use super::input::{Facts, Window};
use super::placement::{OffsetSpan, Placement, SentStream};
use super::sends::{AllSends, File, Sends, span_of};
use super::set::Set;
use super::window::{self, Scope};
use crate::history::{Mark, MessageRun, Writer};
use std::collections::BTreeMap;

/// The copies of one stream's messages in one partition, in the committed view: without those that
/// a read_committed reader is not shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// Sequences with a copy.
    pub found: Set,
    /// Offsets of the copies beyond the first.
    pub extra: Set,
    /// Offsets of first copies that lie behind a later sequence.
    pub late: Set,
    /// Sequences with a copy that read_committed readers are not shown.
    pub hidden: Set,
    /// Sequences with a copy in a transaction that had not ended.
    pub open: Set,
    /// The highest sequence so far.
    max: Option<u64>,
}

impl Copies {
    /// Adds consecutive copies, in the order of the log.
    fn add(&mut self, span: &OffsetSpan) {
        let seqs = span.seqs();
        let offset = |seq: u64| span.offset + (seq - span.seq);
        if self.found.count(seqs.clone()) > 0 {
            for seq in self.found.within(seqs.clone()) {
                self.extra.add(offset(seq)..offset(seq) + 1);
            }
        }
        let behind = seqs.start..seqs.end.min(self.max.unwrap_or(0));
        if !behind.is_empty() {
            if self.found.count(behind.clone()) == 0 {
                self.late.add(offset(behind.start)..offset(behind.end));
            } else {
                for seq in behind.filter(|s| !self.found.has(*s)) {
                    self.late.add(offset(seq)..offset(seq) + 1);
                }
            }
        }
        self.max = self.max.max(Some(seqs.end - 1));
        self.found.add(seqs);
    }
}

/// One partition's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// Log start when the audit began.
    pub start: u64,
    /// The high watermark up to which it was read; `None`: it was not read.
    pub end: Option<u64>,
    /// Log start is higher than before the run.
    pub moved: bool,
    /// The topic is, or was, compacted.
    pub compacted: bool,
    /// Why it could not be read to its end.
    pub not_ready: Option<String>,
    /// When this incarnation was created.
    pub made_us: Option<i64>,
    /// Offsets that hold a message of any kind.
    pub data: Set,
    /// Which part of it is judged.
    pub scope: Scope,
    /// Offsets that read_committed readers are not shown.
    pub hidden: Set,
    /// The part of `hidden` whose transaction had not ended.
    open: Set,
    /// Offsets with a wrong checksum.
    pub corrupt: Set,
    /// The part of `corrupt` in a batch whose own checksum is wrong.
    pub bad_batches: Set,
    /// Offsets without identity.
    pub foreign: Set,
    /// Offsets of messages in which identities of messages of other topics stand.
    pub derived: Set,
    /// The part of `foreign` that is neither from `produce` nor a service's.
    pub strange: Set,
    pub place: Placement,
    pub copies: BTreeMap<SentStream, Copies>,
    next: u64,
}

impl Log {
    /// Offsets that are judged.
    pub fn scope(&self) -> &Set {
        self.scope.counts.as_ref().unwrap_or(&self.data)
    }

    fn add(&mut self, span: &OffsetSpan, sends: Option<&Sends>, window: Window) {
        self.place.add(span);
        self.data.add(span.offsets());
        match (window, sends) {
            (Window::Since(_), Some(sends)) if span.seqs().end > sends.from => {
                let offset = span.offset + sends.from.saturating_sub(span.seq);
                let first = self.scope.first_after.get_or_insert(offset);
                *first = offset.min(*first);
            }
            (Window::AtRest(_), Some(sends)) => {
                for seq in sends.acked.within(span.seqs()) {
                    let offset = span.offset + (seq - span.seq);
                    self.scope.counts.get_or_insert_default().add(offset..offset + 1);
                }
            }
            _ => {}
        }
        let copies = self.copies.entry(span.stream).or_default();
        let offsets = span.offsets();
        if self.hidden.count(offsets.clone()) == 0 {
            return copies.add(span);
        }
        let hidden: Vec<u64> = self.hidden.within(offsets).map(|o| o - span.offset).collect();
        let mut at = 0;
        for i in hidden {
            if at < i {
                copies.add(&span.part(at, i - at));
            }
            let one = span.part(i, 1);
            match self.open.has(one.offset) {
                true => copies.open.add(one.seqs()),
                false => copies.hidden.add(one.seqs()),
            };
            at = i + 1;
        }
        if at < span.count {
            copies.add(&span.part(at, span.count - at));
        }
    }

    /// What was made of a message that was sent since the moment was written after it.
    fn date(&mut self, offset: u64, run: &MessageRun, sends: &AllSends) {
        let stream =
            SentStream { client: run.client, life: run.life, source: run.source_partition };
        let Some(sends) = sends.of(stream).filter(|s| run.first_seq + run.count > s.from) else {
            return;
        };
        let offset = offset + sends.from.saturating_sub(run.first_seq);
        let first = self.scope.first_after.get_or_insert(offset);
        *first = offset.min(*first);
    }

    /// Describes what was removed from the log since it was written, if anything.
    pub fn removed(&self) -> Option<String> {
        let holes = self.end.map_or(0, |end| end.saturating_sub(self.start + self.data.len()));
        match (self.moved, self.compacted && holes > 0) {
            (true, _) => Some(format!("it starts at {} now", self.start)),
            (false, true) => Some(format!("it is compacted, and {holes} offsets are empty")),
            (false, false) => None,
        }
    }

    fn shrink(&mut self) {
        let sets = [&mut self.data, &mut self.hidden, &mut self.corrupt, &mut self.foreign];
        sets.into_iter().for_each(Set::shrink);
        self.place.shrink();
        for copies in self.copies.values_mut() {
            copies.found.shrink();
            copies.extra.shrink();
            copies.late.shrink();
            copies.hidden.shrink();
        }
    }
}

/// All partitions that the audit or the facts name.
pub(super) type Logs = BTreeMap<LogPart, Log>;

/// Reads the audit's files.
pub(super) fn read(files: &[File<'_>], names: &mut Names, facts: &Facts, sends: &AllSends) -> Logs {
    let mut logs = frame(names, facts);
    let audits: Vec<&File<'_>> = newest_audit(files).collect();
    for file in &audits {
        for (part, run) in file.runs() {
            let log = log_of(&mut logs, part, names, facts);
            let offset = u64::try_from(run.first_offset).unwrap_or(0);
            match run.mark {
                Mark::LogStart => log.start = offset,
                Mark::LogEnd => log.end = Some(offset),
                Mark::FoundAborted => _ = log.hidden.add(offset..offset + run.count),
                Mark::FoundOpen => {
                    log.hidden.add(offset..offset + run.count);
                    log.open.add(offset..offset + run.count);
                }
                Mark::Derived => {
                    log.derived.add(offset..offset + run.count);
                    if facts.window.since().is_some() {
                        log.date(offset, &run, sends);
                    }
                }
                _ => {}
            }
        }
    }
    apply_facts(&mut logs, names, facts);
    let given = Given::new(names, facts);
    for file in &audits {
        for (part, run) in file.runs() {
            let log = log_of(&mut logs, part, names, facts);
            let stream =
                SentStream { client: run.client, life: run.life, source: run.source_partition };
            let Some(span) = span_of(stream, &run) else { continue };
            if !matches!(run.mark, Mark::Found | Mark::Foreign | Mark::Corrupt) {
                continue;
            }
            if span.offset < log.next {
                log.not_ready.get_or_insert_with(|| {
                    format!("offset {} was read after offset {}", span.offset, log.next - 1)
                });
                continue;
            }
            log.next = span.offset + span.count;
            if run.mark == Mark::Found {
                log.add(&span, sends.by.get(&(part.0, stream)), facts.window);
                continue;
            }
            log.data.add(span.offsets());
            if run.mark == Mark::Corrupt {
                log.corrupt.add(span.offsets());
                if run.error != 0 {
                    log.bad_batches.add(span.offsets());
                }
            } else {
                log.foreign.add(span.offsets());
                let served = given.is_served(part.0) && log.derived.has(span.offset);
                let others = served || given.is_external(part.0);
                if !others && !given.has(part, run.first_seq) {
                    log.strange.add(span.offsets());
                }
            }
        }
    }
    window::settle(&mut logs, files, facts);
    logs.values_mut().for_each(Log::shrink);
    logs
}

/// The files of the newest audit, and what steps collected.
pub(super) fn newest_audit<'f, 'a>(
    files: &'f [File<'a>],
) -> impl Iterator<Item = &'f File<'a>> + use<'f, 'a> {
    let audits = || files.iter().filter(|f| f.header().writer == Writer::Audit);
    let newest = audits().map(|f| f.header().life).max();
    let collected = files.iter().filter(|f| f.header().writer == Writer::Collected);
    audits().filter(move |f| Some(f.header().life) == newest).chain(collected)
}

/// One log for each partition that the facts know.
fn frame(names: &mut Names, facts: &Facts) -> Logs {
    let mut logs = Logs::new();
    for (topic, known) in facts.topics.iter().filter(|(_, known)| !known.deleted) {
        let number = names.topic_number(topic);
        for partition in known.partitions.keys() {
            log_of(&mut logs, (number, *partition), names, facts);
        }
    }
    logs
}

fn log_of<'a>(logs: &'a mut Logs, part: LogPart, names: &Names, facts: &Facts) -> &'a mut Log {
    logs.entry(part).or_insert_with(|| {
        let topic = facts.topics.get(&names.topic(part.0));
        Log {
            compacted: topic.is_some_and(|t| t.compacted),
            made_us: topic.and_then(|t| t.made_anew_us),
            scope: Scope::new(facts.window),
            ..Log::default()
        }
    })
}

fn apply_facts(logs: &mut Logs, names: &Names, facts: &Facts) {
    for (part, log) in logs {
        let topic = facts.topics.get(&names.topic(part.0));
        let known = topic.and_then(|t| t.partitions.get(&part.1));
        let offset = |known: Option<i64>| known.and_then(|o| u64::try_from(o).ok());
        log.not_ready = known.and_then(|k| k.not_ready.clone());
        if let (Some(wanted), Some(end)) = (offset(known.and_then(|k| k.end)), log.end)
            && end < wanted
        {
            log.not_ready.get_or_insert_with(|| format!("offset {end} of {wanted} was reached"));
        }
        let before = offset(known.map(|k| k.start_before_run)).unwrap_or(0);
        log.moved = log.start > before;
    }
}
