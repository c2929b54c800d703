//! **undelivered**: in the log, visible at the group's isolation level, at or after the group's first
//! position, and delivered to no member of the group in any life, after the group has caught up.
//!
//! Keys (partition, offset, identity) of the log in [group start, end) without a delivery. The start
//! is the position resolved at the first assignment of the partition, before any fetch, kept over
//! lives (0 if the topic was created again since); the end is what the group had to read to. Messages that retention
//! removed before the audit do not count. With `since` only messages that were written since then. If a group has not
//! caught up, it is unknown whether the rest would have been delivered. What a killed consumer of another program may have
//! received and not printed is `unresolved`: see [`unprinted`].

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::groups::{Group, Taken};
use super::log::Log;
use super::measure::measure;
use super::set::Set;
use super::unprinted;
use super::window;

measure! {
    FACTS: Alone(judge), needs(Owed), {},
    damage(Loss), "message undelivered", "messages undelivered",
    "In the log and visible to the group, and delivered to none of its members.", make
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    for group in digest.groups.by.values() {
        let reasons = group.behind(&digest.names);
        for topic in group.topics.iter().filter(|t| !digest.is_deleted(**t)) {
            for (part, log) in digest.logs.range((*topic, 0)..=(*topic, u32::MAX)) {
                let spot = Spot { group: Some(group.number), ..Spot::of(*part, None) };
                reasons.iter().for_each(|r| book.doubt(&digest.names, spot, r.clone()));
                judge_part(digest, group, *part, log, reasons.is_empty(), &mut book);
            }
        }
        for (part, reason) in digest.unread().filter(|(p, _)| group.topics.contains(&p.0)) {
            let spot = Spot { group: Some(group.number), ..Spot::of(part, None) };
            book.doubt(&digest.names, spot, reason);
        }
    }
    book
}

fn judge_part(
    digest: &Digest<'_>,
    group: &Group,
    part: LogPart,
    log: &Log,
    certain: bool,
    book: &mut Book,
) {
    static NOTHING: std::sync::LazyLock<Taken> = std::sync::LazyLock::new(Taken::default);
    let taken = group.parts.get(&part).unwrap_or(&NOTHING);
    let spot = Spot { group: Some(group.number), ..Spot::of(part, None) };
    let owed = match group.owed(&digest.names, part, log) {
        Ok(owed) => owed,
        Err(reason) => return book.doubt(&digest.names, spot, reason),
    };
    let (visible, unsure) = log.scope.split(&owed);
    if certain {
        let unsure = unsure.minus(&taken.seen.keys).len();
        window::doubt(book, &digest.names, spot, unsure, "undelivered messages");
    }
    let mut missed = visible.minus(&taken.seen.keys);
    missed.remove(&unprinted::of(taken, &missed));
    let mut nameless = (visible.len(), missed.clone());
    for (stream, offsets) in log.place.streams() {
        let spot = Spot { client: Some(stream.client), ..spot };
        let judged = offsets.common(&visible);
        book.judged(spot, judged);
        nameless.0 -= judged;
        let own = offsets.and(&missed);
        if certain && !own.is_empty() {
            nameless.1.remove(&own);
            show(log, spot, &own, book);
        }
    }
    book.judged(spot, nameless.0);
    if certain {
        show(log, spot, &nameless.1, book);
    }
}

fn show(log: &Log, spot: Spot, missed: &Set, book: &mut Book) {
    book.found(spot, missed.len());
    for offset in missed.iter().take(book.room(spot)) {
        let text = "in the log, delivered to no member of the group".to_owned();
        let case = Case { identity: log.place.at(offset), text, ..Case::default() };
        book.show(spot, || case.at(offset));
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World};
    use crate::audit::{At, GroupFacts, Measure, PartitionFacts, TopicFacts};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|_, _, _| {});
    }

    fn read() -> World {
        let mut w = World::new(2);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 1, 10, Fate::Silent);
        w
    }

    #[test]
    fn in_the_log_and_given_to_nobody() {
        let mut w = read();
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Undelivered), 0);
        w.taken.values_mut().for_each(|t| t.retain(|r| !(3..5).contains(&r.first_offset)));
        assert_eq!(w.count(Measure::Undelivered), 4);
        assert_eq!(w.evidence(Measure::Undelivered)[0].sequence, Some(3));
        w.deliver((11, 1), 1, 0..10);
        assert_eq!(w.count(Measure::Undelivered), 2);
    }

    #[test]
    fn only_from_the_first_position_to_the_end() {
        let mut w = read();
        w.tell((10, 1), Mark::Assigned, 0, 4);
        w.deliver((10, 1), 0, 4..10);
        w.tell((10, 1), Mark::Assigned, 1, 0);
        w.deliver((10, 1), 1, 0..8);
        w.tell((10, 2), Mark::Assigned, 1, 8);
        let at = |partition, offset| At { topic: "t".into(), partition, offset };
        let group = GroupFacts { ends: vec![at(1, 8)], ..GroupFacts::default() };
        w.facts.groups.insert("g".into(), group);
        assert_eq!(w.count(Measure::Undelivered), 0);
        let group = GroupFacts { starts: vec![at(0, 2)], ..GroupFacts::default() };
        w.facts.groups.insert("g".into(), group);
        assert_eq!(w.count(Measure::Undelivered), 4);
    }

    #[test]
    fn what_was_rewritten_must_be_delivered_again() {
        let mut w = read();
        w.read_all((10, 1));
        w.truncate(0, 6);
        w.send((1, 1), 0, 3, Fate::Acked);
        assert_eq!(w.count(Measure::Undelivered), 3);
    }

    #[test]
    fn a_group_that_is_behind_proves_nothing() {
        let mut w = read();
        w.tell((10, 1), Mark::Assigned, 0, 0);
        assert!(w.doubt(Measure::Undelivered).0.contains("group g was never assigned t/1"));
        w.tell((10, 1), Mark::Assigned, 1, 0);
        assert_eq!(w.count(Measure::Undelivered), 20);
        w.client("C10").running = true;
        assert!(w.doubt(Measure::Undelivered).0.ends_with("C10 is still running"));
        let behind = Some("no member is left".to_owned());
        w.facts.groups.insert("g".into(), GroupFacts { behind, ..GroupFacts::default() });
        let (reason, at_least) = w.doubt(Measure::Undelivered);
        assert!(reason.contains("group g has not caught up: no member is left"));
        assert_eq!(at_least, 0);
        w.facts.groups.clear();
        assert!(w.doubt(Measure::Undelivered).0.contains("it is not known whether group"));
    }

    #[test]
    fn a_topic_made_anew_begins_at_its_start() {
        let mut w = read();
        w.tell((10, 1), Mark::Assigned, 0, 7);
        w.tell((10, 1), Mark::Assigned, 1, 10);
        let made_anew_us = Some(w.tick());
        w.facts.topics.insert("t".into(), TopicFacts { made_anew_us, ..TopicFacts::default() });
        assert_eq!(w.count(Measure::Undelivered), 20);
    }

    #[test]
    fn an_unread_partition_is_doubted() {
        let mut w = read();
        w.read_all((10, 1));
        let mut topic = TopicFacts::default();
        topic.partitions.insert(5, PartitionFacts::default());
        w.facts.topics.insert("t".into(), topic);
        assert!(w.doubt(Measure::Undelivered).0.contains("t/5"));
    }
}
