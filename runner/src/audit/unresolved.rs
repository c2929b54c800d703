//! **unresolved**: sent, but its producer never learned the outcome: may be in the log or not.
//!
//! Its life ended before it received the answer, or before it knew the end of its transaction, or requested
//! no acknowledgement (`acks=0`). Counted here and nowhere else, found or not; never lost. Messages
//! of a running life that have no answer yet are not counted.
//!
//! A message that a killed consumer of another program may have received and not printed is counted here too: see
//! [`unprinted`].
//!
//! With `since` only messages that were sent since then.

use super::book::{Book, Case, Spot};
use super::digest::Digest;
use super::measure::measure;
use super::set::Set;
use super::unprinted;

measure! {
    FACTS: Alone(judge), needs(Sent), {},
    damage(), "message unresolved", "messages unresolved",
    "Sent by a client that ended before it received the answer: may be in the log or not.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    for ((topic, stream), sends) in &digest.sends.by {
        let spot = Spot::of((*topic, stream.source), Some(stream.client));
        let unknown = sends.unknown();
        if sends.running {
            book.judged(spot, sends.sent() - unknown.len());
            continue;
        }
        book.judged(spot, sends.sent());
        book.found(spot, unknown.len());
        if unknown.is_empty() {
            continue;
        }
        let found: Set = digest.found(*topic, *stream);
        for seq in unknown.iter().take(book.room(spot)) {
            let text = match found.has(seq) {
                true => "no outcome known, is in the log",
                false => "no outcome known, is not in the log",
            };
            book.show(spot, || Case::of(*stream, seq, text));
        }
    }
    unprinted::count(digest, &mut book);
    book
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.send((1, 1), 0, 1, Fate::Silent));
    }

    #[test]
    fn without_an_answer_found_or_not() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 5, Fate::Acked);
        assert_eq!(w.count(Measure::Unresolved), 0);
        w.send((1, 1), 0, 2, Fate::Silent);
        w.send((1, 1), 0, 3, Fate::SilentAndGone);
        assert_eq!(w.count(Measure::Unresolved), 5);
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.count(Measure::UnexpectedSuccess), 0);
        assert_eq!(w.count(Measure::Phantom), 0);
    }

    #[test]
    fn a_transaction_whose_end_nobody_knows() {
        let mut w = World::new(1);
        w.send_in((1, 1), 0, 4, Fate::Acked, 1);
        assert_eq!(w.count(Measure::Unresolved), 4);
        w.end((1, 1), 1, Mark::Unsettled);
        assert_eq!(w.count(Measure::Unresolved), 4);
        w.send_in((1, 2), 0, 4, Fate::Silent, 1);
        w.end((1, 2), 1, Mark::Aborted);
        assert_eq!(w.count(Measure::Unresolved), 4);
    }

    #[test]
    fn a_running_life_may_still_hear() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 2, Fate::Silent);
        w.send((1, 2), 0, 3, Fate::Silent);
        w.client("P1").running = true;
        assert_eq!(w.count(Measure::Unresolved), 2);
    }

    #[test]
    fn what_may_still_be_heard_is_not_judged() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 3, Fate::Silent);
        w.client("P1").running = true;
        assert_eq!(w.doubt(Measure::Unresolved), ("there was no message to judge".into(), 0));
        w.send((1, 1), 0, 1, Fate::Acked);
        assert_eq!(w.count(Measure::Unresolved), 0);
    }
}
