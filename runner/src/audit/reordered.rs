//! **reordered**: in one partition and one producer life, a message that lies after a later sequence
//! number.
//!
//! Only the first copy of each message counts, in the committed view: those below the running
//! maximum of their (life, partition), in the order of the log. A log that does not hold all that was
//! written (retention, compaction) leaves open whether there were more.
//!
//! With `since` only copies that were written since then.

use super::book::{Book, Case, Spot};
use super::digest::Digest;
use super::measure::measure;
use super::window;

measure! {
    FACTS: Alone(judge), needs(Sent), {},
    damage(Mild), "message reordered", "messages reordered",
    "The first copy lies after a later message of the same producer and partition.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    digest.doubt_removed(&mut book);
    for (part, log) in digest.topic_logs() {
        for (stream, copies) in &log.copies {
            let spot = Spot::of(*part, Some(stream.client));
            book.judged(spot, log.judged(*stream));
            let (late, unsure) = log.scope.split(&copies.late);
            book.found(spot, late.len());
            for offset in late.iter().take(book.room(spot)) {
                let Some(seq) = log.place.sequence(*stream, offset) else { continue };
                let text = "lies after a message that was sent after it";
                book.show(spot, || Case::of(*stream, seq, text).at(offset));
            }
            window::doubt(&mut book, &digest.names, spot, unsure.len(), "messages out of order");
        }
    }
    book
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::properties::anomalies;
    use crate::audit::testing::{Fate, World, run};
    use crate::history::Mark;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| {
            w.send((1, 1), 0, 2, Fate::Silent);
            let log = w.log.entry(0).or_default();
            let at = log.len() - 2;
            (log[at].first_seq, log[at + 1].first_seq) = (log[at + 1].first_seq, log[at].first_seq);
        });
    }

    fn log_of(seqs: &[u64]) -> World {
        let mut w = World::new(1);
        let count = seqs.iter().max().map_or(0, |m| m + 1);
        w.send((1, 1), 0, count, Fate::Silent);
        w.truncate(0, 0);
        for seq in seqs {
            w.append(run(Mark::Found, 0, (1, 1), *seq, -1));
        }
        w
    }

    #[test]
    fn first_copies_below_the_running_maximum() {
        assert_eq!(log_of(&[0, 1, 2, 3]).count(Measure::Reordered), 0);
        assert_eq!(log_of(&[0, 2, 1, 3]).count(Measure::Reordered), 1);
        assert_eq!(log_of(&[3, 0, 1, 2, 4]).count(Measure::Reordered), 3);
        assert_eq!(log_of(&[2, 1, 0]).count(Measure::Reordered), 2);
    }

    #[test]
    fn later_copies_do_not_count() {
        assert_eq!(log_of(&[0, 1, 2, 0, 1, 2, 3]).count(Measure::Reordered), 0);
        assert_eq!(log_of(&[1, 2, 0, 1, 2, 3, 0]).count(Measure::Reordered), 1);
    }

    #[test]
    fn gaps_and_lives_are_no_disorder() {
        let mut w = log_of(&[0, 5, 9]);
        w.send((1, 2), 0, 3, Fate::Acked);
        w.send((2, 1), 0, 3, Fate::Acked);
        assert_eq!(w.count(Measure::Reordered), 0);
    }

    #[test]
    fn only_the_late_copy_in_sight_counts() {
        let mut w = log_of(&[0, 2, 1, 3]);
        w.hidden.insert((0, 2));
        assert_eq!(w.count(Measure::Reordered), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn swapped_neighbours_are_reordered(
            count in 2u64..60, at in any::<prop::sample::Index>(), limit in 1u64..40,
        ) {
            let mut w = World::new(1);
            w.send((1, 1), 0, count, Fate::Silent);
            w.read_all((10, 1));
            let at = at.index(count as usize - 1);
            for log in w.log.values_mut().chain(w.taken.values_mut()) {
                let at = log.iter().position(|r| r.first_seq == at as u64 && r.count > 0).unwrap_or(0);
                let (a, b) = (log[at].first_seq, log[at + 1].first_seq);
                (log[at].first_seq, log[at + 1].first_seq) = (b, a);
            }
            prop_assert_eq!(
                anomalies(&w, limit),
                BTreeMap::from([(Measure::Reordered, 1), (Measure::Unresolved, count)])
            );
        }
    }
}
