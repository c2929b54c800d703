//! Messages that a killed consumer of another program may have received and not printed. Such a client prints a message
//! after it received it, and commits when it wants: what it had committed and not printed when it was killed is
//! delivered to no later life. Whether it was delivered is not known: these messages are `unresolved`, and not
//! `undelivered`.
//!
//! A life that was killed still has its partitions in its history. From the offset behind its last printed message to
//! the next offset that the group was given, nothing is known.

use super::book::{Book, Case, Spot};
use super::digest::Digest;
use super::groups::{Group, Taken};
use super::log::Log;
use super::set::Set;

/// Of offsets that were delivered to no member, those that a killed life may have received.
pub(super) fn of(taken: &Taken, missed: &Set) -> Set {
    let mut unknown = Set::default();
    for open in taken.open_ends.iter() {
        let next = taken.seen.keys.within(open..u64::MAX).next().unwrap_or(u64::MAX);
        unknown.unite(&missed.cut(open..next));
    }
    unknown
}

/// Adds them to the messages without a known outcome.
pub(super) fn count(digest: &Digest<'_>, book: &mut Book) {
    for group in digest.groups.by.values().filter(|group| group.behind(&digest.names).is_empty()) {
        for (part, taken) in group.parts.iter().filter(|(_, taken)| !taken.open_ends.is_empty()) {
            if let Some(log) = digest.logs.get(part) {
                count_part(digest, group, (*part, log), taken, book);
            }
        }
    }
}

fn count_part(
    digest: &Digest<'_>,
    group: &Group,
    (part, log): ((u16, u32), &Log),
    taken: &Taken,
    book: &mut Book,
) {
    let Ok(owed) = group.owed(&digest.names, part, log) else { return };
    let unknown = of(taken, &log.scope.split(&owed).0.minus(&taken.seen.keys));
    let spot = Spot { group: Some(group.number), ..Spot::of(part, None) };
    book.judged(spot, unknown.len());
    book.found(spot, unknown.len());
    for offset in unknown.iter().take(book.room(spot)) {
        let text = "a consumer that was killed may have received it and not printed it".to_owned();
        let case = Case { identity: log.place.at(offset), text, ..Case::default() };
        book.show(spot, || case.at(offset));
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    /// A producer's ten messages; a consumer of another program printed the first four of them, and was killed.
    fn killed() -> World {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.client("C10").numbers_itself = true;
        w.tell((10, 1), Mark::Assigned, 0, 0);
        w.deliver((10, 1), 0, 0..4);
        w
    }

    #[test]
    fn what_it_committed_and_did_not_print_is_unresolved() {
        let mut w = killed();
        w.tell((10, 2), Mark::Assigned, 0, 6);
        w.deliver((10, 2), 0, 6..10);
        w.tell((10, 2), Mark::Revoked, 0, 10);
        assert_eq!(w.count(Measure::Undelivered), 0);
        assert_eq!(w.count(Measure::Unresolved), 2);
        assert!(w.evidence(Measure::Unresolved)[0].text.contains("was killed"));
    }

    #[test]
    fn what_a_later_life_passed_over_is_undelivered() {
        let mut w = killed();
        w.tell((10, 2), Mark::Assigned, 0, 4);
        w.deliver((10, 2), 0, 4..6);
        w.deliver((10, 2), 0, 8..10);
        w.tell((10, 2), Mark::Revoked, 0, 10);
        assert_eq!(w.count(Measure::Undelivered), 2);
        assert_eq!(w.count(Measure::Unresolved), 0);
    }

    #[test]
    fn one_that_ended_as_ordered_printed_all() {
        let mut w = killed();
        w.tell((10, 1), Mark::Revoked, 0, 4);
        w.tell((10, 2), Mark::Assigned, 0, 6);
        w.deliver((10, 2), 0, 6..10);
        w.tell((10, 2), Mark::Revoked, 0, 10);
        assert_eq!(w.count(Measure::Undelivered), 2);
        assert_eq!(w.count(Measure::Unresolved), 0);
    }

    #[test]
    fn kplans_own_consumer_records_before_it_commits() {
        let mut w = killed();
        w.client("C10").numbers_itself = false;
        w.tell((10, 2), Mark::Assigned, 0, 6);
        w.deliver((10, 2), 0, 6..10);
        assert_eq!(w.count(Measure::Undelivered), 2);
        assert_eq!(w.count(Measure::Unresolved), 0);
    }

    #[test]
    fn one_that_still_runs_is_not_judged() {
        let mut w = killed();
        w.client("C10").running = true;
        assert!(w.doubt(Measure::Undelivered).0.contains("still running"));
        assert_eq!(w.count(Measure::Unresolved), 0);
    }
}
