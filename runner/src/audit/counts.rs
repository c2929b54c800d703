//! **acked**, **failed**, **delivered**, **committed**, **aborted**: what the clients reported.
//!
//! `acked`: messages with a delivery report without error, `acks` not 0; in a transaction, once its
//! commit succeeded. `failed`: messages with a final error, also by librdkafka's code. `committed`
//! and `aborted`: messages in transactions whose end the producer knows. `delivered`: messages delivered
//! to a consumer, every delivery counted.
//!
//! With `since`: only messages that were sent, for `delivered` delivered, since then.

use super::Measure;
use super::book::{Books, Spot};
use super::digest::Digest;
use super::measure::{CountedWord, measure};
use super::result::ErrorCount;
use kplan_dsl::conditions::{Count, Failed};
use kplan_dsl::value::ExpectedError;
use std::collections::BTreeMap;

measure! {
    ACKED: Together(judge), needs(Sent), { faults: false },
    damage(), "message acknowledged", "messages acknowledged",
    "", make_acked
}

measure! {
    FAILED: Together(judge), needs(Sent), {},
    damage(), "message failed for good", "messages failed for good",
    "", make_failed
}

measure! {
    DELIVERED: Alone(|digest| digest.groups.delivered.clone()), needs(Any),
    { faults: false, by_reader: true, none_to_judge: true },
    damage(), "message delivered", "messages delivered",
    "", make_delivered
}

measure! {
    COMMITTED: Together(judge), needs(Transactions), { faults: false },
    damage(), "message committed", "messages committed",
    "", make_committed
}

measure! {
    ABORTED: Together(judge), needs(Transactions), {},
    damage(), "message aborted", "messages aborted",
    "", make_aborted
}

/// Besides the keys of every count, `failed` takes an error to count only that.
impl CountedWord for Failed {
    fn measure(&self) -> Measure {
        Measure::Failed
    }

    fn count(&self) -> &Count {
        &self.count
    }

    fn error(&self) -> Option<&ExpectedError> {
        self.error.as_deref()
    }
}

fn judge(digest: &Digest<'_>, books: &mut Books) {
    for ((topic, stream), sends) in &digest.sends.by {
        let spot = Spot::of((*topic, stream.source), Some(stream.client));
        // A message is known not to have failed, and not to be aborted, only when its outcome is known.
        let known = sends.sent() - sends.unknown().len();
        let counts = [
            (Measure::Acked, &sends.acked, sends.sent()),
            (Measure::Failed, &sends.failed, known),
            (Measure::Committed, &sends.committed, sends.sent()),
            (Measure::Aborted, &sends.aborted, known),
        ];
        for (measure, set, judged) in counts {
            let book = books.by.entry(measure).or_default();
            book.found(spot, set.len());
            book.judged(spot, judged);
        }
    }
}

/// Failures by code.
pub(super) fn errors(digest: &Digest<'_>) -> Vec<ErrorCount> {
    let mut counts: BTreeMap<(u16, u32, u16, i32), u64> = BTreeMap::new();
    for ((topic, stream), sends) in &digest.sends.by {
        for (error, count) in &sends.errors {
            *counts.entry((*topic, stream.source, stream.client, *error)).or_default() += count;
        }
    }
    let names = &digest.names;
    counts
        .into_iter()
        .map(|((topic, partition, client, error), count)| ErrorCount {
            topic: names.topic(topic),
            partition,
            client: names.client(client),
            error,
            count,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    pub(in crate::audit) fn make_acked(w: &mut World) {
        w.around(|_, _, _| {});
    }

    pub(in crate::audit) fn make_failed(w: &mut World) {
        w.around(|w, _, _| _ = w.send((1, 1), 0, 1, Fate::Failed));
    }

    pub(in crate::audit) fn make_delivered(w: &mut World) {
        w.around(|w, _, end| w.deliver((10, 1), 0, end - 1..end));
    }

    pub(in crate::audit) fn make_committed(w: &mut World) {
        transaction(w, Mark::Committed);
    }

    pub(in crate::audit) fn make_aborted(w: &mut World) {
        transaction(w, Mark::Aborted);
    }

    fn transaction(w: &mut World, end: Mark) {
        w.around(|w, first, _| {
            let epoch = u32::try_from(first).unwrap_or(0) + 1;
            w.send_in((1, 1), 0, 1, Fate::Acked, epoch);
            w.end((1, 1), epoch, end);
        });
    }
}
