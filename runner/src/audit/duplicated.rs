//! **duplicated**: more than one copy of a message in the log; extra copies are counted.
//!
//! Copies − 1 of each identity in the committed view: copies that read_committed readers are not
//! shown do not count. A copy in another partition of the topic is a copy.

use super::book::{Book, Case, Spot};
use super::digest::Digest;
use super::placement::Stream;
use super::set::Set;
use std::collections::HashMap;

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    let mut partitions: HashMap<(u16, Stream), (u32, Set)> = HashMap::new();
    for (part, log) in &digest.logs {
        for stream in log.copies.keys() {
            partitions.entry((part.0, *stream)).or_default().0 += 1;
        }
    }
    for (part, log) in &digest.logs {
        for (stream, copies) in &log.copies {
            let spot = Spot::of(*part, Some(stream.client));
            book.judged(spot, copies.found.count(copies.from..u64::MAX));
            book.found(spot, copies.extra);
            for seq in copies.twice.within(copies.from..u64::MAX).take(book.room(spot)) {
                book.show(spot, || Case::of(*stream, seq, "more than one copy in this partition"));
            }
            // Streams stay in their own partition unless Kafka mixed partitions up.
            let astray = partitions.get_mut(&(part.0, *stream)).filter(|(n, _)| *n > 1);
            let Some((_, known)) = astray else { continue };
            let mut both = known.and(&copies.found);
            both.clip(copies.from..u64::MAX);
            book.found(spot, both.len());
            for seq in both.iter().take(book.room(spot)) {
                book.show(spot, || Case::of(*stream, seq, "also in another partition"));
            }
            known.unite(&copies.found);
        }
    }
    book
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
        assert_eq!(w.evidence(Measure::Duplicated).len(), 2);
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
