//! **uncopied** and **overcopied**: whether copiers copied every message exactly once.
//!
//! A copy names its original, under its checksum. The committed messages that a copiers' group should receive
//! (as for `undelivered`) are counted by identity, one for each place in the log; so are the originals of the
//! copies that its copiers have in the committed view of the output. **uncopied**: places of messages beyond
//! their copies. **overcopied**: copies beyond the places of their messages; a message that the input hides as
//! aborted has no place. Messages that the input does not hold at all (any more) may have one copy
//! each: other measures count those messages.
//!
//! With `since` by when the messages and their copies were written.

use super::Measure;
use super::book::{Book, Books, Case, LogPart, Spot};
use super::digest::Digest;
use super::groups::Group;
use super::input::{Copies, Window};
use super::log::Log;
use super::measure::measure;
use super::placement::{OffsetSpan, SentStream};
use super::sends::{File, span_of};
use super::set::Set;
use super::window;
use crate::history::{Mark, MessageRun};
use std::collections::{BTreeMap, BTreeSet};

measure! {
    UNCOPIED: Together(judge), needs(ToCopy), {},
    damage(Loss), "message not copied", "messages not copied",
    "In a copier's input, and without a visible copy in its output.", make_uncopied
}

measure! {
    OVERCOPIED: Together(judge), needs(Copied), {},
    damage(Mild), "copy too many", "copies too many",
    "Copied more often than the message is in the copier's input: twice, or although it was aborted.",
    make_overcopied
}

/// How often each sequence of a stream was seen: a set, and what is beyond it.
#[derive(Clone, Debug, Default)]
struct Counted {
    once: Set,
    /// Seen again: how often, and at which partition and offset last.
    again: BTreeMap<u64, (u64, LogPart, u64)>,
}

impl Counted {
    fn add(&mut self, part: LogPart, span: &OffsetSpan) {
        if self.once.count(span.seqs()) > 0 {
            for seq in self.once.within(span.seqs()) {
                let again = self.again.entry(seq).or_insert((0, part, 0));
                *again = (again.0 + 1, part, span.offset + (seq - span.seq));
            }
        }
        self.once.add(span.seqs());
    }

    fn count(&self, seq: u64) -> u64 {
        u64::from(self.once.has(seq)) + self.again.get(&seq).map_or(0, |(more, ..)| *more)
    }

    fn len(&self) -> u64 {
        self.once.len() + self.again.values().map(|(more, ..)| more).sum::<u64>()
    }
}

/// Where the messages of one stream stand: all, and with `since` those that were written since.
#[derive(Clone, Debug, Default)]
struct Places {
    all: Counted,
    late: Counted,
    /// May have been written since.
    unsure: Set,
}

impl Places {
    fn add(&mut self, part: LogPart, span: &OffsetSpan, log: Option<&Log>) {
        self.all.add(part, span);
        let Some(log) = log.filter(|log| log.scope.counts.is_some()) else { return };
        for one in (0..span.count).map(|i| span.part(i, 1)) {
            let (counts, unsure) = log.scope.split(&Set::of(one.offset));
            if !counts.is_empty() {
                self.late.add(part, &one);
            } else if !unsure.is_empty() {
                self.unsure.add(one.seqs());
            }
        }
    }

    /// Of `count` places too many or too few of a message, how many are counted, and whether it may be
    /// more: the newest are meant.
    fn counted(&self, window: Window, seq: u64, count: u64) -> (u64, bool) {
        if window == Window::All {
            return (count, false);
        }
        let late = self.late.count(seq).min(count);
        (late, late < count && self.unsure.has(seq))
    }

    fn judged(&self, window: Window) -> u64 {
        if window == Window::All { self.all.len() } else { self.late.len() }
    }
}

/// One group's work from one topic to another.
#[derive(Default)]
struct Work {
    /// What was to be copied.
    owed: BTreeMap<SentStream, Places>,
    /// What else the input holds: hidden as aborted, and shown but not owed to the group.
    other: BTreeMap<SentStream, (Set, Set)>,
    /// Originals of the copies.
    copies: BTreeMap<SentStream, Places>,
    /// The output partition of a stream's first copy.
    place: BTreeMap<SentStream, LogPart>,
}

pub(super) fn judge(digest: &Digest<'_>, books: &mut Books) {
    let (mut uncopied, mut overcopied) = (Book::default(), Book::default());
    let copiers = digest.facts.clients.values().filter_map(|c| c.copies.as_ref());
    for copies in copiers.collect::<BTreeSet<_>>() {
        let Some(group) = digest.groups.by.get(&copies.group) else { continue };
        judge_group(digest, copies, group, &mut uncopied, &mut overcopied);
    }
    books.by.extend([(Measure::Uncopied, uncopied), (Measure::Overcopied, overcopied)]);
}

fn judge_group(
    digest: &Digest<'_>,
    copies: &Copies,
    group: &Group,
    uncopied: &mut Book,
    overcopied: &mut Book,
) {
    let number = |topic: &str| digest.names.known_topic(topic);
    let (Some(from), Some(to)) = (number(&copies.from), number(&copies.to)) else { return };
    // A doubt about either topic is one about the whole answer.
    let both = |book: &mut Book, partition: u32, reason: &str| {
        doubt(digest, book, group, (from, partition), reason);
        doubt(digest, book, group, (to, partition), reason);
    };
    for (part, reason) in digest.unread().filter(|(p, _)| p.0 == from || p.0 == to) {
        both(uncopied, part.1, &reason);
        both(overcopied, part.1, &reason);
    }
    group.behind(&digest.names).iter().for_each(|reason| both(uncopied, 0, reason));
    let work = gather(digest, copies, group, (from, to), uncopied);
    let gone = digest.logs.range((to, 0)..=(to, u32::MAX)).find(|(_, l)| l.moved || l.compacted);
    let gone = gone.map(|(part, _)| {
        let name = digest.names.topic(part.0);
        (*part, format!("retention or compaction may have removed copies from {name}/{}", part.1))
    });
    judge_missing(digest, group, &work, (from, gone.as_ref()), uncopied);
    if let Some((part, reason)) = &gone {
        doubt(digest, overcopied, group, *part, reason);
    }
    judge_surplus(digest, group, &work, to, overcopied);
}

/// Counts messages with too few copies. While the group is behind, its copier may still copy them, or
/// commit the copies.
fn judge_missing(
    digest: &Digest<'_>,
    group: &Group,
    work: &Work,
    (from, gone): (u16, Option<&(LogPart, String)>),
    book: &mut Book,
) {
    let window = digest.facts.window;
    let certain = group.behind(&digest.names).is_empty();
    for (stream, owed) in &work.owed {
        let spot = spot(group, (from, stream.source), *stream);
        book.judged(spot, owed.judged(window));
        if !certain {
            continue;
        }
        let copied = work.copies.get(stream).map(|copied| &copied.all);
        let mut missing = missing(&owed.all, copied);
        let mut unsure = 0;
        missing.retain(|seq, lacks| {
            let (count, more) = owed.counted(window, *seq, *lacks);
            unsure += u64::from(more);
            *lacks = count;
            count > 0
        });
        window::doubt(book, &digest.names, spot, unsure, "messages without a copy");
        let count: u64 = missing.values().sum();
        if let (Some((_, reason)), true) = (gone, count > 0) {
            doubt(digest, book, group, (from, stream.source), reason);
            continue;
        }
        book.found(spot, count);
        for seq in missing.keys().take(book.room(spot)) {
            book.show(spot, || case(*stream, *seq, "it has no visible copy in the output"));
        }
    }
}

/// Counts messages with more copies than places in the input.
fn judge_surplus(digest: &Digest<'_>, group: &Group, work: &Work, to: u16, book: &mut Book) {
    let window = digest.facts.window;
    let running = group.consumers.values().any(|running| *running);
    for (stream, copied) in &work.copies {
        let part = work.place.get(stream).copied().unwrap_or((to, 0));
        book.judged(spot(group, part, *stream), copied.judged(window));
        for (seq, count, place) in surplus(work, stream, &copied.all, part) {
            let spot = spot(group, place.0, *stream);
            let (count, more) = copied.counted(window, seq, count);
            window::doubt(book, &digest.names, spot, u64::from(more), "copies");
            if count == 0 {
                continue;
            }
            if running {
                let reason = "a copier is still running: the input may by now contain again the \
                              messages that seem to be copied too often";
                doubt(digest, book, group, place.0, reason);
                continue;
            }
            book.found(spot, count);
            let words = format!("copied {} times", copied.all.count(seq));
            book.show(spot, || match place.1 {
                Some(offset) => case(*stream, seq, &words).at(offset),
                None => case(*stream, seq, "it was aborted, and copied"),
            });
        }
    }
}

fn doubt(digest: &Digest<'_>, book: &mut Book, group: &Group, part: LogPart, reason: &str) {
    let spot = Spot { group: Some(group.number), ..Spot::of(part, None) };
    book.doubt(&digest.names, spot, reason.to_owned());
}

/// The place of a message: with its client if it carries an identity, else only its partition.
fn spot(group: &Group, part: LogPart, stream: SentStream) -> Spot {
    let client = (stream.client != 0).then_some(stream.client);
    Spot { group: Some(group.number), ..Spot::of(part, client) }
}

fn case(stream: SentStream, seq: u64, text: &str) -> Case {
    match stream.client {
        0 => Case { text: text.to_owned(), ..Case::default() },
        _ => Case::of(stream, seq, text),
    }
}

/// How many copies each message lacks.
fn missing(owed: &Counted, copied: Option<&Counted>) -> BTreeMap<u64, u64> {
    let none = Counted::default();
    let copied = copied.unwrap_or(&none);
    let mut missing: BTreeMap<u64, u64> =
        owed.once.minus(&copied.once).iter().map(|seq| (seq, owed.count(seq))).collect();
    for seq in owed.again.keys() {
        let lacks = owed.count(*seq).saturating_sub(copied.count(*seq));
        if lacks > 0 {
            missing.insert(*seq, lacks);
        }
    }
    missing
}

/// Messages with copies beyond their places: how many, and where one lies.
fn surplus(
    work: &Work,
    stream: &SentStream,
    copied: &Counted,
    part: LogPart,
) -> Vec<(u64, u64, (LogPart, Option<u64>))> {
    let (owed, other) = (work.owed.get(stream), work.other.get(stream));
    let places = |seq: u64| match (owed.map_or(0, |o| o.all.count(seq)), other) {
        // Aborted, and nowhere else: no copy is right. Before the group's start, or gone: one may be.
        (0, Some((hidden, shown))) if hidden.has(seq) && !shown.has(seq) => 0,
        (0, _) => 1,
        (n, _) => n,
    };
    let mut found = Vec::new();
    if let Some((hidden, _)) = other {
        let wrong = copied.once.and(hidden);
        let single = wrong.iter().filter(|seq| !copied.again.contains_key(seq));
        found.extend(single.filter(|s| places(*s) == 0).map(|seq| (seq, 1, (part, None))));
    }
    for (seq, (_, part, offset)) in &copied.again {
        let count = copied.count(*seq).saturating_sub(places(*seq));
        if count > 0 {
            found.push((*seq, count, (*part, Some(*offset))));
        }
    }
    found
}

/// Reads the audit's files once more: what was to be copied, and what was.
fn gather(
    digest: &Digest<'_>,
    copies: &Copies,
    group: &Group,
    (from, to): (u16, u16),
    book: &mut Book,
) -> Work {
    let mut owed: BTreeMap<LogPart, Set> = BTreeMap::new();
    for (part, log) in digest.logs.range((from, 0)..=(from, u32::MAX)) {
        match group.owed(&digest.names, *part, log) {
            Ok(mut offsets) => {
                // Also for read_uncommitted consumers.
                offsets.remove(&log.hidden);
                owed.insert(*part, offsets);
            }
            Err(reason) => doubt(digest, book, group, *part, &reason),
        }
    }
    let own: BTreeSet<u32> = digest
        .files
        .iter()
        .map(File::header)
        .filter(|h| {
            let client = digest.facts.clients.get(&h.client);
            client.and_then(|c| c.copies.as_ref()) == Some(copies)
        })
        .map(|h| u32::from(h.client_id))
        .collect();
    let mut work = Work::default();
    for file in digest.newest_audit() {
        for (part, run) in file.runs() {
            if part.0 == from && matches!(run.mark, Mark::Found | Mark::Foreign) {
                work.take_in(digest, part, &run, owed.get(&part));
            } else if part.0 == to && run.mark == Mark::Copied && own.contains(&run.epoch) {
                work.take_out(digest, part, &run);
            }
        }
    }
    work
}

/// The messages of a run, as copies name them.
fn originals(part: LogPart, run: &MessageRun) -> Option<OffsetSpan> {
    let stream = match run.mark {
        Mark::Foreign => SentStream { client: 0, life: 0, source: part.1 },
        _ => SentStream { client: run.client, life: run.life, source: run.source_partition },
    };
    span_of(stream, run)
}

impl Work {
    fn take_in(
        &mut self,
        digest: &Digest<'_>,
        part: LogPart,
        run: &MessageRun,
        owed: Option<&Set>,
    ) {
        let Some(span) = originals(part, run) else { return };
        let log = digest.logs.get(&part);
        let hidden = log.map(|log| &log.hidden);
        each(&span, owed, |piece, is_owed| {
            if is_owed {
                return self.owed.entry(piece.stream).or_default().add(part, &piece, log);
            }
            let (aborted, shown) = self.other.entry(piece.stream).or_default();
            each(&piece, hidden, |piece, is_hidden| {
                let set = if is_hidden { &mut *aborted } else { &mut *shown };
                set.add(piece.seqs());
            });
        });
    }

    fn take_out(&mut self, digest: &Digest<'_>, part: LogPart, run: &MessageRun) {
        let Some(span) = originals(part, run) else { return };
        let log = digest.logs.get(&part);
        each(&span, log.map(|log| &log.hidden), |piece, is_hidden| {
            if !is_hidden {
                self.copies.entry(piece.stream).or_default().add(part, &piece, log);
                self.place.entry(piece.stream).or_insert(part);
            }
        });
    }
}

/// Cuts a span into what lies in a set of offsets and what does not.
fn each(span: &OffsetSpan, set: Option<&Set>, mut tell: impl FnMut(OffsetSpan, bool)) {
    let inside = set.map_or(0, |s| s.count(span.offsets()));
    if inside == 0 || inside == span.count {
        return tell(*span, inside > 0);
    }
    for i in 0..span.count {
        tell(span.part(i, 1), set.is_some_and(|s| s.has(span.offset + i)));
    }
}

#[cfg(test)]
#[path = "copied_tests.rs"]
mod tests;
