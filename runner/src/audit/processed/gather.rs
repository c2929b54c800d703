//! Reads the audit's files once more: what a service owes, and what it made.

use super::super::book::{Book, LogPart};
use super::super::digest::Digest;
use super::super::input::{Naming, Window};
use super::super::log::Log;
use super::super::placement::{OffsetSpan, SentStream};
use super::super::sends::{File, span_of};
use super::super::set::Set;
use super::Task;
use crate::history::{Mark, MessageRun};
use std::collections::{BTreeMap, BTreeSet};

/// How often each sequence of a stream was seen: in sets up to a number, and what is beyond it.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    /// The sequences that were seen at least once, at least twice and so on.
    times: Vec<Set>,
    /// The most sets.
    most: u64,
    /// Seen more often: how much more, and at which partition and offset last.
    beyond: BTreeMap<u64, (u64, LogPart, u64)>,
}

impl Counted {
    fn new(most: u64) -> Self {
        Self { times: Vec::new(), most, beyond: BTreeMap::new() }
    }

    fn add(&mut self, part: LogPart, span: &OffsetSpan, seen: usize) {
        if seen as u64 >= self.most {
            for one in span.singles() {
                let beyond = self.beyond.entry(one.seq).or_insert((0, part, 0));
                *beyond = (beyond.0 + 1, part, one.offset);
            }
            return;
        }
        if self.times.len() == seen {
            self.times.push(Set::default());
        }
        let set = &mut self.times[seen];
        let again: Vec<u64> = set.within(span.seqs()).collect();
        set.add(span.seqs());
        if again.len() as u64 == span.count {
            return self.add(part, span, seen + 1);
        }
        for seq in again {
            self.add(part, &span.part(seq - span.seq, 1), seen + 1);
        }
    }

    pub fn count(&self, seq: u64) -> u64 {
        let times = self.times.iter().take_while(|set| set.has(seq)).count() as u64;
        times + self.beyond.get(&seq).map_or(0, |(more, ..)| *more)
    }

    fn len(&self) -> u64 {
        let beyond: u64 = self.beyond.values().map(|(more, ..)| more).sum();
        self.times.iter().map(Set::len).sum::<u64>() + beyond
    }

    /// How many places of each message lack some of their outputs.
    pub fn lacking(&self, made: Option<&Self>, outputs: u64) -> BTreeMap<u64, u64> {
        let enough = made.and_then(|made| made.times.get(usize::try_from(outputs).ok()? - 1));
        let lacks = |seq: u64| {
            let done = made.map_or(0, |made| made.count(seq)) / outputs;
            self.count(seq).saturating_sub(done)
        };
        let all = self.times.first().cloned().unwrap_or_default();
        let few = enough.map_or_else(|| all.clone(), |enough| all.minus(enough));
        let seqs = few.iter().chain(self.beyond.keys().copied());
        seqs.map(|seq| (seq, lacks(seq))).filter(|(_, lacks)| *lacks > 0).collect()
    }
}

/// Where the messages of one stream are: all, and with `since` those that were written since.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub all: Counted,
    late: Counted,
    /// May have been written since.
    unsure: Set,
    /// The part, of those that may count, that the service may still process, by partition.
    open: BTreeMap<u32, Counted>,
}

impl Places {
    fn new(most: u64) -> Self {
        let (all, late) = (Counted::new(most), Counted::new(most));
        Self { all, late, unsure: Set::default(), open: BTreeMap::new() }
    }

    fn add(&mut self, part: LogPart, span: &OffsetSpan, log: Option<&Log>, done_before: u64) {
        self.all.add(part, span, 0);
        let Some(log) = log.filter(|log| log.scope.counts.is_some()) else {
            return self.leave(part, span, done_before);
        };
        for one in span.singles() {
            let (counts, unsure) = log.scope.split(&Set::of(one.offset));
            if !counts.is_empty() {
                self.late.add(part, &one, 0);
            } else if !unsure.is_empty() {
                self.unsure.add(one.seqs());
            } else {
                continue;
            }
            self.leave(part, &one, done_before);
        }
    }

    fn leave(&mut self, part: LogPart, span: &OffsetSpan, done_before: u64) {
        if let Some(open) = span.clip(&(done_before..u64::MAX)) {
            self.open.entry(part.1).or_insert_with(|| Counted::new(1)).add(part, &open, 0);
        }
    }

    /// Of the places of a message that lack something, how many the service may still process; they are added to
    /// `open`, by partition.
    pub fn left(&self, seq: u64, lacks: u64, open: &mut BTreeMap<u32, u64>) -> u64 {
        let mut left = 0;
        for (partition, places) in &self.open {
            let here = places.count(seq).min(lacks - left);
            if here > 0 {
                *open.entry(*partition).or_default() += here;
                left += here;
            }
        }
        left
    }

    /// Of `count` places too many or too few of a message, how many are counted, and whether it may be
    /// more: the newest are meant.
    pub fn counted(&self, window: Window, seq: u64, count: u64) -> (u64, bool) {
        if window == Window::All {
            return (count, false);
        }
        let late = self.late.count(seq).min(count);
        (late, late < count && self.unsure.has(seq))
    }

    pub fn judged(&self, window: Window) -> u64 {
        if window == Window::All { self.all.len() } else { self.late.len() }
    }
}

/// What one service owes, and what it made.
pub(super) struct Gathered {
    /// What is to be processed.
    pub owed: BTreeMap<SentStream, Places>,
    /// What else the input holds: hidden as aborted, and shown but not owed.
    pub other: BTreeMap<SentStream, (Set, Set)>,
    /// The originals of what the output shows.
    pub made: BTreeMap<SentStream, Places>,
    /// The output partition of the first that was made of a stream.
    pub place: BTreeMap<SentStream, LogPart>,
    outputs: u64,
}

impl Gathered {
    pub fn read(digest: &Digest<'_>, task: &Task<'_>, book: &mut Book) -> Self {
        let owed = owed(digest, task, book);
        let copiers = copiers(digest, task);
        let (known, made): (&[Mark], Mark) = match task.work.naming {
            Naming::Copied => (&[Mark::Found, Mark::Foreign], Mark::Copied),
            Naming::Derived => (&[Mark::Found, Mark::Derived], Mark::Derived),
        };
        let mut work = Self {
            owed: BTreeMap::new(),
            other: BTreeMap::new(),
            made: BTreeMap::new(),
            place: BTreeMap::new(),
            outputs: task.outputs,
        };
        for file in digest.newest_audit() {
            for (part, run) in file.runs() {
                let Some(span) = originals(part, &run) else { continue };
                let log = digest.logs.get(&part);
                if part.0 == task.from && known.contains(&run.mark) {
                    let done_before = task.done_before(digest, part.1);
                    work.take_in(part, &span, (log, owed.get(&part)), done_before);
                } else if part.0 == task.to
                    && run.mark == made
                    && (made == Mark::Derived || copiers.contains(&run.epoch))
                {
                    work.take_out(part, &span, log);
                }
            }
        }
        work
    }

    fn take_in(
        &mut self,
        part: LogPart,
        span: &OffsetSpan,
        (log, owed): (Option<&Log>, Option<&Set>),
        done_before: u64,
    ) {
        let hidden = log.map(|log| &log.hidden);
        each(span, owed, |piece, is_owed| {
            if is_owed {
                let places = self.owed.entry(piece.stream).or_insert_with(|| Places::new(1));
                return places.add(part, &piece, log, done_before);
            }
            let (aborted, shown) = self.other.entry(piece.stream).or_default();
            each(&piece, hidden, |piece, is_hidden| {
                let set = if is_hidden { &mut *aborted } else { &mut *shown };
                set.add(piece.seqs());
            });
        });
    }

    fn take_out(&mut self, part: LogPart, span: &OffsetSpan, log: Option<&Log>) {
        each(span, log.map(|log| &log.hidden), |piece, is_hidden| {
            if !is_hidden {
                let new = || Places::new(self.outputs);
                let places = self.made.entry(piece.stream).or_insert_with(new);
                places.add(part, &piece, log, u64::MAX);
                self.place.entry(piece.stream).or_insert(part);
            }
        });
    }

    /// Messages with more outputs than their places have: how many more, and where one of these is.
    pub fn surplus(
        &self,
        stream: &SentStream,
        made: &Counted,
        part: LogPart,
    ) -> Vec<(u64, u64, (LogPart, Option<u64>))> {
        let (owed, other) = (self.owed.get(stream), self.other.get(stream));
        let places = |seq: u64| match (owed.map_or(0, |o| o.all.count(seq)), other) {
            // Aborted, and nowhere else: nothing is right. Before the group's start, or gone: one place may be.
            (0, Some((hidden, shown))) if hidden.has(seq) && !shown.has(seq) => 0,
            (0, _) => 1,
            (n, _) => n,
        };
        let mut found = Vec::new();
        if let (Some((hidden, _)), Some(once)) = (other, made.times.first()) {
            let wrong = once.and(hidden);
            let few =
                wrong.iter().filter(|seq| places(*seq) == 0 && !made.beyond.contains_key(seq));
            found.extend(few.map(|seq| (seq, made.count(seq), (part, None))));
        }
        for (seq, (_, part, offset)) in &made.beyond {
            let count = made.count(*seq).saturating_sub(places(*seq).saturating_mul(self.outputs));
            if count > 0 {
                found.push((*seq, count, (*part, Some(*offset))));
            }
        }
        found
    }
}

/// The offsets of the input that are to be processed.
fn owed(digest: &Digest<'_>, task: &Task<'_>, book: &mut Book) -> BTreeMap<LogPart, Set> {
    let mut all = BTreeMap::new();
    for (part, log) in digest.logs.range((task.from, 0)..=(task.from, u32::MAX)) {
        let of_group = task.group.map(|group| group.owed(&digest.names, *part, log));
        match of_group.unwrap_or_else(|| Ok(log.data.clone())) {
            Ok(mut offsets) => {
                // Also for read_uncommitted consumers.
                offsets.remove(&log.hidden);
                all.insert(*part, offsets);
            }
            Err(reason) => task.doubt(digest, book, *part, &reason),
        }
    }
    all
}

/// The numbers of the copiers that do this work.
fn copiers(digest: &Digest<'_>, task: &Task<'_>) -> BTreeSet<u32> {
    let headers = digest.files.iter().map(File::header);
    let own = headers.filter(|header| {
        let client = digest.facts.clients.get(&header.client);
        client.and_then(|client| client.work.as_ref()) == Some(task.work)
    });
    own.map(|header| u32::from(header.client_id)).collect()
}

/// The messages of a run, as what is derived from them names them.
fn originals(part: LogPart, run: &MessageRun) -> Option<OffsetSpan> {
    let stream = match run.mark {
        Mark::Foreign => SentStream { client: 0, life: 0, source: part.1 },
        _ => SentStream { client: run.client, life: run.life, source: run.source_partition },
    };
    span_of(stream, run)
}

/// Cuts a span into what lies in a set of offsets and what does not.
fn each(span: &OffsetSpan, set: Option<&Set>, mut tell: impl FnMut(OffsetSpan, bool)) {
    let inside = set.map_or(0, |s| s.count(span.offsets()));
    if inside == 0 || inside == span.count {
        return tell(*span, inside > 0);
    }
    for one in span.singles() {
        tell(one, set.is_some_and(|s| s.has(one.offset)));
    }
}
