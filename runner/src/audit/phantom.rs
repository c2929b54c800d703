//! **phantom**: in the log or delivered, and never sent by a client or `produce` of this run.
//!
//! A client reserves sequence numbers before it sends, so an identity is a phantom if its client, its
//! life, or that sequence number is unknown. A message without identity is a phantom unless it is
//! one of `produce`, known by topic, partition, key and value. A wrong checksum is `corrupted` instead.
//! A producer that still runs goes on sending while its histories are read: what comes after all that
//! is known of its life is not judged.
//!
//! With `since` copies that were written, and deliveries that were made, since then.

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::log::Log;
use super::measure::measure;
use super::placement::SentStream;
use super::set::Set;
use super::window;
use std::collections::BTreeMap;

measure! {
    FACTS: Alone(judge), needs(Any), {},
    damage(Loss), "message phantom", "messages phantom",
    "In the log or delivered, and sent by no client of this run.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    let mut known: BTreeMap<(u16, SentStream), Set> = BTreeMap::new();
    for (part, log) in digest.topic_logs() {
        book.judged(Spot::of(*part, None), log.scope().len());
        for (stream, copies) in &log.copies {
            let spot = Spot::of(*part, Some(stream.client));
            for found in [&copies.found, &copies.hidden, &copies.open] {
                let fresh = digest.unsent(part.0, *stream, found);
                let known = known.entry((part.0, *stream)).or_default();
                let fresh = fresh.minus(known);
                let fresh = written(digest, spot, log, *stream, fresh, &mut book);
                add(&mut book, spot, *stream, &fresh, "in the log, never sent");
                known.unite(&fresh);
            }
        }
        let spot = Spot::of(*part, None);
        let (strange, unsure) = log.scope.split(&log.strange);
        window::doubt(&mut book, &digest.names, spot, unsure.len(), "messages that no client sent");
        book.found(spot, strange.len());
        for offset in strange.iter().take(book.room(spot)) {
            let text = "in the log, not of this run".to_owned();
            book.show(spot, || Case { text, ..Case::default() }.at(offset));
        }
    }
    for ((topic, stream), seqs) in &digest.groups.elsewhere {
        let mut fresh = digest.unsent(*topic, *stream, seqs);
        if let Some(known) = known.get(&(*topic, *stream)) {
            fresh.remove(known);
        }
        let spot = Spot::of((*topic, stream.source), Some(stream.client));
        book.judged(spot, seqs.len());
        add(&mut book, spot, *stream, &fresh, "delivered, never sent");
    }
    let mut counted: BTreeMap<LogPart, Set> = BTreeMap::new();
    for group in digest.groups.by.values() {
        for (part, taken) in &group.parts {
            let spot = Spot { group: Some(group.number), ..Spot::of(*part, None) };
            let known = counted.entry(*part).or_default();
            let fresh = taken.strange.minus(known);
            known.unite(&fresh);
            book.judged(spot, fresh.len());
            book.found(spot, fresh.len());
            for offset in fresh.iter().take(book.room(spot)) {
                let text = "delivered, not of this run".to_owned();
                book.show(spot, || Case { text, ..Case::default() }.at(offset));
            }
        }
    }
    book
}

/// Of sequences that were never sent, those with a copy that counts. Doubts the rest if one may count.
fn written(
    digest: &Digest<'_>,
    spot: Spot,
    log: &Log,
    stream: SentStream,
    seqs: Set,
    book: &mut Book,
) -> Set {
    if log.scope.counts.is_none() || seqs.is_empty() {
        return seqs;
    }
    let (mut counts, mut unsure) = (Set::default(), Set::default());
    for (seq, offset) in log.place.find(stream, &seqs) {
        let (here, open) = log.scope.split(&Set::of(offset));
        if !here.is_empty() {
            counts.add(seq..seq + 1);
        } else if !open.is_empty() {
            unsure.add(seq..seq + 1);
        }
    }
    let unsure = unsure.minus(&counts).len();
    window::doubt(book, &digest.names, spot, unsure, "messages that no client sent");
    counts
}

fn add(book: &mut Book, spot: Spot, stream: SentStream, seqs: &Set, text: &str) {
    book.found(spot, seqs.len());
    for seq in seqs.iter().take(book.room(spot)) {
        book.show(spot, || Case::of(stream, seq, text));
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Given, Measure};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.append(run(Mark::Foreign, 0, (0, 0), 99, -1)));
    }

    #[test]
    fn unknown_clients_lives_and_numbers() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 0, 2, Fate::Silent);
        assert_eq!(w.count(Measure::Phantom), 0);
        for (who, seq) in [((1, 1), 12), ((1, 2), 0), ((9, 1), 0), ((9, 1), 0)] {
            w.append(run(Mark::Found, 0, who, seq, -1));
        }
        assert_eq!(w.count(Measure::Phantom), 3);
    }

    #[test]
    fn a_running_producer_is_ahead_of_what_is_known() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 2), 0, 10, Fate::Acked);
        for who in [(1, 1), (1, 2)] {
            w.append(run(Mark::Found, 0, who, 10, -1));
        }
        assert_eq!(w.count(Measure::Phantom), 2);
        w.client("P1").running = true;
        assert_eq!(w.count(Measure::Phantom), 1);
        w.sent.values_mut().for_each(|s| s.retain(|r| r.first_seq != 5));
        assert_eq!(w.count(Measure::Phantom), 3);
    }

    #[test]
    fn delivered_only_is_one_too() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        w.give((10, 1), run(Mark::Found, 0, (1, 1), 99, 10));
        w.give((10, 1), run(Mark::Foreign, 0, (0, 0), 99, 11));
        assert_eq!(w.count(Measure::Phantom), 2);
    }

    #[test]
    fn others_write_to_a_topic_that_the_plan_declares_external() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.append(run(Mark::Foreign, 0, (0, 0), 99, -1));
        w.append(run(Mark::Found, 0, (9, 1), 0, -1));
        w.read_all((10, 1));
        w.give((10, 1), run(Mark::Foreign, 0, (0, 0), 98, 13));
        assert_eq!(w.count(Measure::Phantom), 3);
        w.facts.topics.entry("t".into()).or_default().external = true;
        // A message with the identity of a client that never was is still one.
        assert_eq!(w.count(Measure::Phantom), 1);
    }

    #[test]
    fn messages_of_produce_are_known() {
        let mut w = World::new(1);
        for hash in [5, u64::MAX, 6] {
            w.append(run(Mark::Foreign, 0, (0, 0), hash, -1));
        }
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Phantom), 3);
        for (partition, hash) in [(Some(0), 5), (None, u64::MAX), (Some(1), 6)] {
            w.facts.given.push(Given { topic: "t".into(), partition, hash });
        }
        assert_eq!(w.count(Measure::Phantom), 1);
        assert_eq!(w.count(Measure::Undelivered), 0);
    }
}
