//! **unexpected_success**: reported to the producer as failed for good, yet in the log.
//!
//! Failed, or in a transaction whose abort succeeded, and with a copy in the committed view. Not an
//! error of Kafka when it failed (a timeout shows nothing about the log, and librdkafka's status 'not
//! persisted' is no proof of absence); counted. If the log does not hold all that was written (retention,
//! compaction), it is unknown whether there were more.
//!
//! With `since` only messages that were sent since then.

use super::book::{Book, Case, Spot};
use super::digest::Digest;
use super::measure::measure;

measure! {
    FACTS: Alone(judge), needs(Sent), {},
    damage(), "unexpected success", "unexpected success",
    "Reported to the producer as failed for good, yet in the log.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    digest.doubt_removed(&mut book);
    for ((topic, stream), sends) in &digest.sends.by {
        let spot = Spot::of((*topic, stream.source), Some(stream.client));
        book.judged(spot, sends.acked.len() + sends.failed.len() + sends.aborted.len());
        let found = digest.found(*topic, *stream);
        let outcomes = [
            (&sends.failed, "failed, and is in the log"),
            (&sends.aborted, "aborted, and can be seen by read_committed readers"),
        ];
        for (outcome, text) in outcomes {
            let both = outcome.and(&found);
            book.found(spot, both.len());
            for seq in both.iter().take(book.room(spot)) {
                book.show(spot, || Case::of(*stream, seq, text));
            }
        }
    }
    book
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.send((1, 1), 0, 1, Fate::FailedAndWritten));
    }

    #[test]
    fn failed_and_found() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 5, Fate::Failed);
        assert_eq!(w.count(Measure::UnexpectedSuccess), 0);
        w.send((1, 1), 0, 3, Fate::FailedAndWritten);
        assert_eq!(w.count(Measure::UnexpectedSuccess), 3);
        assert_eq!(w.count(Measure::Failed), 8);
        assert_eq!(w.audit(9).errors[0].error, 7);
        assert_eq!(w.doubt(Measure::Lost).1, 0);
    }

    #[test]
    fn aborted_and_visible() {
        let mut w = World::new(1);
        w.send_in((1, 1), 0, 3, Fate::Acked, 1);
        w.end((1, 1), 1, Mark::Aborted);
        assert_eq!(w.count(Measure::UnexpectedSuccess), 0);
        assert_eq!(w.count(Measure::Aborted), 3);
        w.hidden.clear();
        assert_eq!(w.count(Measure::UnexpectedSuccess), 3);
    }
}
