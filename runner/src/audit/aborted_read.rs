//! **aborted_read**: an aborted message delivered to a read_committed consumer (Jepsen: G1a).
//!
//! A message is aborted if the log hides it from read_committed readers at that offset, or if its producer's
//! history has it as aborted. Each partition and offset is counted once for a group.
//!
//! With `since` only deliveries that were made since then.

use super::book::{Book, Spot};
use super::digest::Digest;
use super::groups::{Delivery, Taken};
use super::input::Isolation;
use super::measure::measure;
use super::placement::OffsetSpan;
use super::sends::Sends;
use super::set::Set;

measure! {
    FACTS: Alone(judge), needs(ReadTransactions), { by_reader: true },
    damage(Loss), "message aborted read", "messages aborted read",
    "A message of an aborted transaction, delivered to a read_committed consumer.", make
}

/// The anomalies that were found while reading, and doubts for logs that were not read: they may hide a message
/// whose end its producer never learned.
pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = digest.groups.aborted_read.clone();
    let groups = digest.groups.by.values();
    for group in groups.filter(|g| g.facts.isolation == Isolation::ReadCommitted) {
        for (part, reason) in digest.unread().filter(|(part, _)| group.parts.contains_key(part)) {
            let spot = Spot { group: Some(group.number), ..Spot::of(part, None) };
            book.doubt(&digest.names, spot, reason);
        }
    }
    book
}

/// Judges a part of a delivery; `same`: the log holds exactly these messages there.
pub(super) fn look(
    book: &mut Book,
    taken: &mut Taken,
    sent: Option<&Sends>,
    delivery: &Delivery<'_>,
    part: OffsetSpan,
    same: bool,
) {
    if !delivery.committed_only || !delivery.counts {
        return;
    }
    book.judged(delivery.spot, part.count);
    let mut offsets = Set::default();
    if let Some(log) = delivery.log.filter(|l| same && l.hidden.count(part.offsets()) > 0) {
        log.hidden.within(part.offsets()).for_each(|o| _ = offsets.add(o..o + 1));
    }
    if let Some(sent) = sent.filter(|s| s.taken_back.count(part.seqs()) > 0) {
        for seq in sent.taken_back.within(part.seqs()) {
            let offset = part.offset + (seq - part.seq);
            offsets.add(offset..offset + 1);
        }
    }
    for offset in offsets.iter().filter(|o| taken.aborted.add(*o..*o + 1) == 1) {
        book.found(delivery.spot, 1);
        let one = part.part(offset - part.offset, 1);
        book.show(delivery.spot, || {
            delivery.case(one, "of an aborted transaction, delivered to a read_committed consumer")
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World};
    use crate::audit::{GroupFacts, Isolation, Measure, PartitionFacts};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, end| {
            w.hidden.insert((0, end - 1));
            let found = w.log[&0].last().copied().expect("three were sent");
            w.give((10, 1), found);
        });
    }

    fn aborted() -> World {
        let mut w = World::new(1);
        w.send_in((1, 1), 0, 4, Fate::Acked, 1);
        w.end((1, 1), 1, Mark::Committed);
        w.send_in((1, 1), 0, 3, Fate::Acked, 2);
        w.end((1, 1), 2, Mark::Aborted);
        w.send_in((1, 1), 0, 4, Fate::Acked, 3);
        w.end((1, 1), 3, Mark::Committed);
        w
    }

    #[test]
    fn hidden_and_not_delivered() {
        let mut w = aborted();
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::AbortedRead), 0);
        assert_eq!(w.count(Measure::Undelivered), 0);
        assert_eq!(w.count(Measure::Skipped), 0);
    }

    #[test]
    fn what_an_unread_log_hides_is_not_known() {
        let mut w = aborted();
        w.read_all((10, 1));
        let end = PartitionFacts { end: Some(99), ..PartitionFacts::default() };
        w.facts.topics.entry("t".into()).or_default().partitions.insert(0, end);
        assert!(w.doubt(Measure::AbortedRead).0.contains("of 99 was reached"));
    }

    #[test]
    fn delivered_though_aborted() {
        let mut w = aborted();
        let hidden = std::mem::take(&mut w.hidden);
        w.read_all((10, 1));
        w.read_all((10, 2));
        // The producer's word is enough, and the log's.
        assert_eq!(w.count(Measure::AbortedRead), 3);
        w.hidden = hidden;
        assert_eq!(w.count(Measure::AbortedRead), 3);
    }

    #[test]
    fn a_read_uncommitted_group_may_see_them_and_must() {
        let mut w = aborted();
        let hidden = std::mem::take(&mut w.hidden);
        w.read_all((10, 1));
        w.hidden = hidden;
        let isolation = Isolation::ReadUncommitted;
        w.facts.groups.insert("g".into(), GroupFacts { isolation, ..GroupFacts::default() });
        assert_eq!(w.doubt(Measure::AbortedRead).1, 0);
        assert_eq!(w.count(Measure::Undelivered), 0);
        w.taken.values_mut().for_each(|runs| runs.retain(|r| r.first_offset != 6));
        assert_eq!(w.count(Measure::Undelivered), 1);
    }
}
