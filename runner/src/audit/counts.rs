//! **acked**, **failed**, **delivered**, **committed**, **aborted**: what the clients reported.
//!
//! `acked`: messages with a delivery report without error, `acks` not 0; in a transaction, once its
//! commit succeeded. `failed`: messages with a final error, also by librdkafka's code. `committed`
//! and `aborted`: messages in transactions whose end the producer knows. `delivered`: messages given
//! to a consumer, every delivery counted.

use super::book::{Books, Spot};
use super::digest::Digest;
use super::result::{ErrorCount, Measure};
use std::collections::BTreeMap;

pub(super) fn judge(digest: &Digest<'_>, books: &mut Books) {
    for ((topic, stream), sends) in &digest.sends.by {
        let spot = Spot::of((*topic, stream.source), Some(stream.client));
        // That a message has not failed, and was not aborted, is known once its outcome is.
        let known = sends.sent() - sends.unknown().len();
        let counts = [
            (Measure::Acked, &sends.acked, sends.sent()),
            (Measure::Failed, &sends.failed, known),
            (Measure::Committed, &sends.committed, sends.sent()),
            (Measure::Aborted, &sends.aborted, known),
        ];
        for (measure, set, judged) in counts {
            let book = books.entry(measure).or_default();
            book.found(spot, set.len());
            book.judged(spot, judged);
        }
    }
    books.insert(Measure::Delivered, digest.groups.delivered.clone());
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
