//! **unprocessed** and **overprocessed**: whether services made of every message what they should. **uncopied** and
//! **overcopied** are the same for copiers alone, which are services that kplan brings.
//!
//! A message of the output is *derived* from its originals: a copy names its original under its checksum, in every
//! other message the identities of its originals stand as text. Messages of the input are counted by identity, one
//! for each place in its log; so are the originals of the messages in the committed view of the output. What a
//! service *owes* is every message of the committed view of the input that has an identity, wherever the service began
//! to read; for copiers it is what their group should receive (as for `undelivered`).
//!
//! **unprocessed**: places of owed messages of which the output does not hold all outputs. A place that the service may
//! still come to is not counted, and makes the answer inconclusive: while it runs, every place; later, those at or
//! behind the committed offset of its group. **overprocessed**: derived messages beyond the outputs of the places of
//! their original; a message that the input hides as aborted has no place. Messages that the input does not hold at
//! all (any more) may have one place each: other measures count those messages.
//!
//! With `since` by when the messages and their outputs were written.

mod gather;
mod task;

use super::Measure;
use super::book::{Book, Books, Case, LogPart};
use super::digest::Digest;
use super::input::Naming;
use super::measure::{CountedWord, measure};
use super::placement::SentStream;
use super::window;
use gather::Gathered;
use kplan_dsl::conditions::{Count, Overprocessed, Unprocessed};
use kplan_dsl::value::{ClientName, ExpectedError};
use std::collections::BTreeMap;
use task::Task;

measure! {
    UNPROCESSED: Together(judge), needs(ToProcess), {},
    damage(Loss), "message unprocessed", "messages unprocessed",
    "In a service's input, and not all that the service makes of it is visible in its output.", make_unprocessed
}

measure! {
    OVERPROCESSED: Together(judge), needs(Processed), {},
    damage(Mild), "message processed too often", "messages processed too often",
    "In a service's output, and derived from a message of which the output has enough, or that was aborted.",
    make_overprocessed
}

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

/// Declares whose work a word counts.
macro_rules! of_a_service {
    ($($word:ident),+) => {$(
        impl CountedWord for $word {
            fn measure(&self) -> Measure {
                Measure::$word
            }

            fn count(&self) -> &Count {
                &self.count
            }

            fn error(&self) -> Option<&ExpectedError> {
                None
            }

            fn service(&self) -> Option<&ClientName> {
                Some(&self.service)
            }
        }
    )+};
}

of_a_service!(Unprocessed, Overprocessed);

pub(super) fn judge(digest: &Digest<'_>, books: &mut Books) {
    let (mut missing, mut surplus) = (Book::default(), Book::default());
    for task in Task::of_copiers(digest) {
        judge_task(digest, &task, &mut missing, &mut surplus);
    }
    books.by.insert(Measure::Uncopied, missing.clone());
    books.by.insert(Measure::Overcopied, surplus.clone());
    let services = Task::of_services(digest);
    for task in &services {
        for other in services.iter().filter(|other| {
            (other.from, other.to) == (task.from, task.to) && other.service != task.service
        }) {
            let reason = format!(
                "{} and {} both write to {} what they make of {}: which of them wrote a message is not known",
                task.name(digest),
                other.name(digest),
                task.work.to,
                task.work.from
            );
            task.doubt_all(digest, &mut missing, 0, &reason);
            task.doubt_all(digest, &mut surplus, 0, &reason);
        }
        judge_task(digest, task, &mut missing, &mut surplus);
    }
    books.by.insert(Measure::Unprocessed, missing);
    books.by.insert(Measure::Overprocessed, surplus);
}

fn judge_task(digest: &Digest<'_>, task: &Task<'_>, missing: &mut Book, surplus: &mut Book) {
    for (part, reason) in digest.unread().filter(|(p, _)| p.0 == task.from || p.0 == task.to) {
        task.doubt_all(digest, missing, part.1, &reason);
        task.doubt_all(digest, surplus, part.1, &reason);
    }
    let behind = task.group.map(|group| group.behind(&digest.names)).unwrap_or_default();
    behind.iter().for_each(|reason| task.doubt_all(digest, missing, 0, reason));
    if task.work.naming == Naming::Derived {
        doubt_nameless(digest, task, missing, surplus);
    }
    let work = Gathered::read(digest, task, missing);
    doubt_untraced(digest, task, &work, missing, surplus);
    let mut outputs = digest.logs.range((task.to, 0)..=(task.to, u32::MAX));
    let gone = outputs.find(|(_, log)| log.moved || log.compacted).map(|(part, _)| {
        let what = if task.work.naming == Naming::Copied { "copies" } else { "messages" };
        let place = format!("{}/{}", task.work.to, part.1);
        (*part, format!("retention or compaction may have removed {what} from {place}"))
    });
    judge_missing(digest, task, &work, (behind.is_empty(), gone.as_ref()), missing);
    if let Some((part, reason)) = &gone {
        task.doubt(digest, surplus, *part, reason);
    }
    judge_surplus(digest, task, &work, surplus);
}

/// What a service makes of messages without an identity is not known.
fn doubt_nameless(digest: &Digest<'_>, task: &Task<'_>, missing: &mut Book, surplus: &mut Book) {
    for (part, log) in digest.logs.range((task.from, 0)..=(task.from, u32::MAX)) {
        let mut nameless = log.foreign.minus(&log.derived);
        nameless.remove(&log.hidden);
        let (counts, unsure) = log.scope.split(&nameless);
        let count = counts.len() + unsure.len();
        if count > 0 {
            let (place, name) = (format!("{}/{}", task.work.from, part.1), task.name(digest));
            let reason = format!(
                "{place} holds messages without an identity of kplan ({count}): what {name} made of them is not known"
            );
            task.doubt(digest, missing, *part, &reason);
            task.doubt(digest, surplus, *part, &reason);
        }
    }
}

/// What a service makes of messages whose identity it cannot pass on is not known.
fn doubt_untraced(
    digest: &Digest<'_>,
    task: &Task<'_>,
    work: &Gathered,
    missing: &mut Book,
    surplus: &mut Book,
) {
    for (stream, owed) in &work.owed {
        if !task.follows(digest, stream.client) && owed.judged(digest.facts.window) > 0 {
            let (client, name) = (digest.names.client(stream.client), task.name(digest));
            let reason = format!(
                "the messages of {client} carry no identity that {name} can pass on: give {client} a `value` with \
                 `{{{{ message.id }}}}`"
            );
            task.doubt(digest, missing, (task.from, stream.source), &reason);
            task.doubt(digest, surplus, (task.from, stream.source), &reason);
        }
    }
}

/// Counts messages with too few outputs. While copiers' group is behind (`certain` is false), a copier may still copy
/// them, or commit the copies.
fn judge_missing(
    digest: &Digest<'_>,
    task: &Task<'_>,
    work: &Gathered,
    (certain, gone): (bool, Option<&(LogPart, String)>),
    book: &mut Book,
) {
    let window = digest.facts.window;
    let mut open: BTreeMap<u32, u64> = BTreeMap::new();
    for (stream, owed) in &work.owed {
        if !task.follows(digest, stream.client) {
            continue;
        }
        let part = (task.from, stream.source);
        let spot = task.spot(part, *stream);
        book.judged(spot, owed.judged(window));
        if !certain {
            continue;
        }
        let made = work.made.get(stream).map(|made| &made.all);
        let mut missing = owed.all.lacking(made, task.outputs);
        let mut unsure = 0;
        missing.retain(|seq, lacks| {
            *lacks -= owed.left(*seq, *lacks, &mut open);
            let (count, more) = owed.counted(window, *seq, *lacks);
            unsure += u64::from(more);
            *lacks = count;
            count > 0
        });
        window::doubt(book, &digest.names, spot, unsure, "messages without an output");
        let count: u64 = missing.values().sum();
        if let (Some((_, reason)), true) = (gone, count > 0) {
            task.doubt(digest, book, part, reason);
            continue;
        }
        book.found(spot, count);
        for seq in missing.keys().take(book.room(spot)) {
            book.show(spot, || case(*stream, *seq, &task.lacks(made, *seq)));
        }
    }
    for (partition, left) in open {
        task.doubt(digest, book, (task.from, partition), &task.may_go_on(digest, partition, left));
    }
}

/// Counts messages beyond the outputs of their originals' places.
fn judge_surplus(digest: &Digest<'_>, task: &Task<'_>, work: &Gathered, book: &mut Book) {
    let window = digest.facts.window;
    let may_grow = task.running && digest.is_written(task.from);
    for (stream, made) in &work.made {
        // Other services may write to the output too, what they make of other topics.
        let known = work.owed.contains_key(stream) || work.other.contains_key(stream);
        let sent = || digest.sends.by.contains_key(&(task.from, *stream));
        if task.work.naming == Naming::Derived && !known && !sent() {
            continue;
        }
        let part = work.place.get(stream).copied().unwrap_or((task.to, 0));
        book.judged(task.spot(part, *stream), made.judged(window));
        for (seq, count, (part, offset)) in work.surplus(stream, &made.all, part) {
            let spot = task.spot(part, *stream);
            let (count, more) = made.counted(window, seq, count);
            window::doubt(book, &digest.names, spot, u64::from(more), "messages");
            if count == 0 {
                continue;
            }
            if may_grow {
                let reason = format!(
                    "{} is still running, and so is what writes to {}: by now the input may contain again the \
                     messages that seem to be processed too often",
                    task.name(digest),
                    task.work.from
                );
                task.doubt(digest, book, part, &reason);
                continue;
            }
            book.found(spot, count);
            let words = task.has(made.all.count(seq));
            book.show(spot, || match offset {
                Some(offset) => case(*stream, seq, &words).at(offset),
                None => case(*stream, seq, &format!("it was aborted, and {words}")),
            });
        }
    }
}

fn case(stream: SentStream, seq: u64, text: &str) -> Case {
    match stream.client {
        0 => Case { text: text.to_owned(), ..Case::default() },
        _ => Case::of(stream, seq, text),
    }
}

#[cfg(test)]
mod tests;
