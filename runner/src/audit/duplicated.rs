//! **duplicated**: more than one copy of a message in the log; extra copies are counted.
//!
//! Copies − 1 of each identity in the committed view: copies that read_committed readers are not
//! shown do not count. A copy in another partition of the topic is a copy. With `since` the extra copies
//! that were written since then are counted, of messages of any age. A log that does not hold all that
//! was written (retention, compaction) leaves it open whether there were more.

use super::book::{Book, Case, Part, Spot};
use super::digest::Digest;
use super::log::{Copies, Log};
use super::placement::Stream;
use super::set::Set;
use super::window;
use std::collections::HashMap;

/// A stream's messages in the partitions of a topic that were looked at so far.
#[derive(Default)]
struct Known {
    partitions: u32,
    found: Set,
    /// Those with a copy that counts, and those with one that may.
    counts: Set,
    unsure: Set,
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    digest.doubt_removed(&mut book);
    let mut streams: HashMap<(u16, Stream), Known> = HashMap::new();
    for (part, log) in &digest.logs {
        for stream in log.copies.keys() {
            streams.entry((part.0, *stream)).or_default().partitions += 1;
        }
    }
    for (part, log) in &digest.logs {
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
            // Streams stay in their own partition unless Kafka mixed partitions up.
            let known = streams.get_mut(&(part.0, *stream)).filter(|known| known.partitions > 1);
            if let Some(known) = known {
                known.astray(digest, *part, log, (*stream, copies), &mut book);
            }
        }
    }
    book
}

impl Known {
    /// Counts copies of what another partition holds: with `since` where either copy was written since.
    fn astray(
        &mut self,
        digest: &Digest<'_>,
        part: Part,
        log: &Log,
        (stream, copies): (Stream, &Copies),
        book: &mut Book,
    ) {
        let spot = Spot::of(part, Some(stream.client));
        let mut both = self.found.and(&copies.found);
        if log.scope.counts.is_some() {
            for (seq, offset) in log.place.find(stream, &copies.found) {
                let (counts, unsure) = log.scope.split(&Set::of(offset));
                let into = if counts.is_empty() { &mut self.unsure } else { &mut self.counts };
                if !counts.is_empty() || !unsure.is_empty() {
                    into.add(seq..seq + 1);
                }
            }
            let unsure = both.and(&self.unsure).minus(&self.counts);
            window::doubt(book, &digest.names, spot, unsure.len(), "extra copies");
            both = both.and(&self.counts);
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
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World, run};
    use crate::history::{Mark, Run};

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
        w.append(Run { source_partition: 0, ..stray });
        assert_eq!(w.count(Measure::Duplicated), 1);
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
