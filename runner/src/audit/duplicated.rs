//! **duplicated**: more than one copy of a message in the log; extra copies are counted.
//!
//! Copies − 1 of each identity in the committed view: copies that read_committed readers are not
//! shown do not count. A copy in another partition of the topic is a copy. With `since` the extra copies
//! that were written since then are counted, of messages of any age. A log that does not hold all that
//! was written (retention, compaction) leaves open whether there were more.

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::log::{Copies, Log};
use super::measure::measure;
use super::placement::SentStream;
use super::set::Set;
use super::window;
use std::collections::HashMap;

measure! {
    FACTS: Alone(judge), needs(Sent), {},
    damage(Mild), "extra copy in the log", "extra copies in the log",
    "More than one copy of a message is in the log; extra copies are counted.", make
}

/// A stream's messages in the partitions of a topic that were read so far.
#[derive(Default)]
struct Known {
    partitions: u32,
    found: Set,
    /// Those with a partition whose first copy was written before, and those with one where that may be.
    old: Set,
    unsure: Set,
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    digest.doubt_removed(&mut book);
    let mut streams: HashMap<(u16, SentStream), Known> = HashMap::new();
    // Another program numbers its messages over all partitions, so in all of them the same number is the same message.
    let whole = |stream: SentStream| match digest.numbers_itself(stream.client) {
        true => SentStream { source: 0, ..stream },
        false => stream,
    };
    for (part, log) in digest.topic_logs() {
        for stream in log.copies.keys() {
            streams.entry((part.0, whole(*stream))).or_default().partitions += 1;
        }
    }
    for (part, log) in digest.topic_logs() {
        for (stream, copies) in &log.copies {
            let spot = Spot::of(*part, Some(stream.client));
            book.judged(spot, log.judged(*stream));
            let (extra, unsure) = log.scope.split(&copies.extra);
            book.found(spot, extra.len());
            for offset in extra.iter().take(book.room(spot)) {
                let Some(seq) = log.place.sequence(*stream, offset) else { continue };
                let text = "more than one copy in this partition";
                book.show(spot, || Case::of(*stream, seq, text).at(offset));
            }
            window::doubt(&mut book, &digest.names, spot, unsure.len(), "extra copies");
            // Other streams stay in their own partition unless Kafka mixed partitions up.
            let known = streams.get_mut(&(part.0, whole(*stream)));
            let known = known.filter(|known| known.partitions > 1);
            if let Some(known) = known {
                known.astray(digest, *part, log, (*stream, copies), &mut book);
            }
        }
    }
    book
}

impl Known {
    /// Counts copies of what another partition holds. With `since` the first copies of all partitions
    /// count as those of one do: as many as were written since then, without one where all were.
    fn astray(
        &mut self,
        digest: &Digest<'_>,
        part: LogPart,
        log: &Log,
        (stream, copies): (SentStream, &Copies),
        book: &mut Book,
    ) {
        let spot = Spot::of(part, Some(stream.client));
        let mut both = self.found.and(&copies.found);
        if log.scope.counts.is_some() {
            let (mut new, mut unsure, mut old) = <(Set, Set, Set)>::default();
            for (seq, offset) in log.place.find(stream, &copies.found) {
                // The others in this partition were counted, and what is hidden is no copy.
                if copies.extra.has(offset) || log.hidden.has(offset) {
                    continue;
                }
                let (counts, open) = log.scope.split(&Set::of(offset));
                let into = match (counts.is_empty(), open.is_empty()) {
                    (false, _) => &mut new,
                    (true, false) => &mut unsure,
                    (true, true) => &mut old,
                };
                into.add(seq..seq + 1);
            }
            let mut counted = both.minus(&self.old).minus(&self.unsure);
            counted.unite(&both.and(&new));
            let before = both.and(&old).and(&self.old);
            let open = both.minus(&counted).minus(&before).len();
            window::doubt(book, &digest.names, spot, open, "extra copies");
            self.old.unite(&old);
            self.unsure.unite(&unsure);
            both = counted;
        }
        book.found(spot, both.len());
        for seq in both.iter().take(book.room(spot)) {
            book.show(spot, || Case::of(stream, seq, "also in another partition"));
        }
        self.found.unite(&copies.found);
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Measure, Window};
    use crate::history::{Mark, MessageRun};

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, first, _| _ = w.append(run(Mark::Found, 0, (1, 1), first, -1)));
    }

    #[test]
    fn extra_copies_are_counted() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 1, 10, Fate::Acked);
        assert_eq!(w.count(Measure::Duplicated), 0);
        for seq in [3, 4, 4] {
            w.append(run(Mark::Found, 0, (1, 1), seq, -1));
        }
        assert_eq!(w.count(Measure::Duplicated), 3);
        assert_eq!(w.evidence(Measure::Duplicated).len(), 3);
    }

    #[test]
    fn a_copy_in_another_partition_is_a_copy() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 3, Fate::Acked);
        let stray = run(Mark::Found, 1, (1, 1), 1, -1);
        w.append(MessageRun { source_partition: 0, ..stray });
        assert_eq!(w.count(Measure::Duplicated), 1);
    }

    #[test]
    fn copies_in_several_partitions_count_once_by_when_they_were_written() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 3, Fate::Acked);
        let stray = MessageRun { source_partition: 0, ..run(Mark::Found, 1, (1, 1), 1, -1) };
        w.append(stray);
        w.send((1, 1), 1, 1, Fate::Acked);
        w.facts.window = Window::Since(w.tick());
        w.send((1, 1), 0, 1, Fate::Acked);
        w.send((1, 1), 1, 1, Fate::Acked);
        assert_eq!(w.count(Measure::Duplicated), 0, "the copy is older");
        w.append(run(Mark::Found, 0, (1, 1), 1, -1));
        assert_eq!(w.count(Measure::Duplicated), 1, "of three copies one is new");
        let hidden = w.append(stray);
        w.hidden.insert((1, hidden));
        assert_eq!(w.count(Measure::Duplicated), 1, "a hidden copy is none");
    }

    #[test]
    fn the_same_number_in_another_life_is_another_message() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 5, Fate::Acked);
        w.send((1, 2), 0, 5, Fate::Acked);
        assert_eq!(w.count(Measure::Duplicated), 0);
    }

    #[test]
    fn a_hidden_copy_is_none() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 5, Fate::Acked);
        let offset = w.append(run(Mark::Found, 0, (1, 1), 2, -1));
        w.hidden.insert((0, offset));
        assert_eq!(w.count(Measure::Duplicated), 0);
    }
}
