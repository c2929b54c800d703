//! **corrupted**: the payload does not match its checksum, or is in a batch of the log whose checksum is
//! wrong each time that it is fetched (even if the payload's own checksum is right).
//!
//! Counted once for each partition and offset: in the log, and if the log is correct there (or holds
//! nothing there any more) in a delivery. Its identity cannot be trusted, so no client is named, and
//! it is no `phantom`. With `since` a message that was written before is not counted: it is not known since when
//! it is damaged, and the answer is inconclusive.

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::measure::measure;
use super::set::Set;
use std::collections::BTreeMap;

measure! {
    FACTS: Alone(judge), needs(Any), {},
    damage(Loss), "message corrupted", "messages corrupted",
    "The content does not match its checksum.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    for (part, log) in digest.topic_logs() {
        let spot = Spot::of(*part, None);
        book.judged(spot, log.scope().len());
        let (here, _) = log.scope.split(&log.corrupt);
        book.found(spot, here.len());
        for offset in here.iter().take(book.room(spot)) {
            let whose = match log.bad_batches.has(offset) {
                true => "the log holds it in a batch whose checksum is wrong",
                false => "the checksum is wrong in the log",
            };
            book.show(spot, || text(whose).at(offset));
        }
        doubt_others(digest, spot, log.corrupt.minus(&here).len(), &mut book);
    }
    let mut counted: BTreeMap<LogPart, Set> = BTreeMap::new();
    for group in digest.groups.by.values() {
        for (part, taken) in &group.parts {
            let spot = Spot { group: Some(group.number), ..Spot::of(*part, None) };
            let known = counted.entry(*part).or_default();
            let fresh = match digest.facts.window.at_rest() {
                Some(_) => rest(digest, *part, &taken.corrupt),
                None => taken.corrupt.clone(),
            };
            let fresh = fresh.minus(known);
            known.unite(&fresh);
            book.judged(spot, fresh.len());
            book.found(spot, fresh.len());
            for offset in fresh.iter().take(book.room(spot)) {
                book.show(spot, || text("the checksum was wrong when delivered").at(offset));
            }
        }
    }
    book
}

/// Adds a doubt: messages with a wrong checksum that may not be among those to be judged.
fn doubt_others(digest: &Digest<'_>, spot: Spot, count: u64, book: &mut Book) {
    if count == 0 {
        return;
    }
    let place = format!("{}/{}", digest.names.topic(spot.part.0), spot.part.1);
    let why = match digest.facts.window.at_rest() {
        Some(_) => "which messages these were is not known",
        None => {
            "they were not certainly written since then, and when they were damaged is not known"
        }
    };
    let reason = format!("{count} messages in {place} have a wrong checksum, and {why}");
    book.doubt(&digest.names, spot, reason);
}

/// The part of a set of offsets that holds messages at rest.
fn rest(digest: &Digest<'_>, part: LogPart, offsets: &Set) -> Set {
    digest.logs.get(&part).map(|log| log.scope.split(offsets).0).unwrap_or_default()
}

fn text(text: &str) -> Case {
    Case { text: text.to_owned(), ..Case::default() }
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World, run};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.append(run(Mark::Corrupt, 0, (0, 0), 0, -1)));
    }

    #[test]
    fn in_the_log_and_on_the_way() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Corrupted), 0);
        if let Some(log) = w.log.get_mut(&0) {
            log[4].mark = Mark::Corrupt;
        }
        for given in w.taken.values_mut().flatten().filter(|r| [4, 7].contains(&r.first_offset)) {
            given.mark = Mark::Corrupt;
        }
        assert_eq!(w.count(Measure::Corrupted), 2);
        assert_eq!(w.count(Measure::Phantom), 0);
        assert_eq!(w.count(Measure::Undelivered), 0);
        assert_eq!(w.count(Measure::Diverged), 0);
    }
}
