//! **expired**: acknowledged, and its offset now lies below the log's start; with compaction,
//! superseded by a later value of its key.
//!
//! Retention worked as configured: no loss. An offset is known if it was reported and is believed
//! (see [`diverged`](super::diverged)), if the message was delivered to a consumer below the log's
//! start, and for idempotent producers if a later message of the same life and partition was
//! (their order is the log's order).
//!
//! A message of a compacted topic is superseded if a later message of the same producer and key is
//! in the log, or itself expired below the log's start.
//!
//! With `since` only messages that were sent since then.

use super::digest::Digest;
use super::lost;
use super::measure::measure;
use super::placement::SentStream;
use super::set::Set;
use std::collections::{BTreeMap, HashSet};

measure! {
    FACTS: Together(lost::judge), needs(Sent), {},
    damage(), "message expired", "messages expired",
    "Acknowledged, and since removed by retention or compaction.", make
}

/// The missing messages of one producer and partition (all lives) that a later value of
/// their key supersedes. `period`: after how many messages the same key is used again.
pub(super) fn superseded(
    digest: &Digest<'_>,
    topic: u16,
    missing: &BTreeMap<SentStream, Set>,
    expired: &BTreeMap<SentStream, Set>,
    period: u64,
) -> BTreeMap<SentStream, Set> {
    let mut answered: HashSet<u64> = HashSet::new();
    let mut gone = BTreeMap::new();
    for (stream, missing) in missing.iter().rev() {
        let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
        let mut present = digest.found(topic, *stream);
        if let Some(expired) = expired.get(stream) {
            present.unite(expired);
        }
        for seq in present.iter() {
            newest.insert(seq % period, seq);
        }
        let mut old = Set::default();
        for seq in missing.iter() {
            let key = seq % period;
            if answered.contains(&key) || newest.get(&key).is_some_and(|n| *n > seq) {
                old.add(seq..seq + 1);
            }
        }
        answered.extend(newest.keys());
        gone.insert(*stream, old);
    }
    gone
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World};
    use crate::audit::{Measure, TopicFacts};

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|_, _, _| {});
        w.expire(0, w.ends[&0]);
    }

    #[test]
    fn below_the_start_is_expired_not_lost() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 0, 2, Fate::Dropped);
        w.expire(0, 6);
        assert_eq!((w.count(Measure::Expired), w.count(Measure::Lost)), (6, 2));
    }

    #[test]
    fn an_unknown_offset_under_a_moved_start_is_inconclusive() {
        let mut w = World::new(1);
        w.client("P1").idempotent = true;
        w.send((1, 1), 0, 10, Fate::Acked);
        w.expire(0, 6);
        let (reason, at_least) = w.doubt(Measure::Lost);
        assert!(reason.starts_with("6 messages of P1 are not in t/0, the log starts at 6 now"));
        assert_eq!(at_least, 0);
        assert_eq!(w.doubt(Measure::Expired), (reason, 0), "what may be lost may be expired");
    }

    #[test]
    fn a_delivery_below_the_start_shows_the_offset() {
        let mut w = World::new(1);
        w.client("P1").idempotent = true;
        w.send((1, 1), 0, 10, Fate::Acked);
        // Only one was delivered; an idempotent producer's order shows that those before it had expired.
        w.deliver((10, 1), 0, 5..6);
        w.expire(0, 6);
        assert_eq!((w.count(Measure::Expired), w.count(Measure::Lost)), (6, 0));
    }

    #[test]
    fn compaction_keeps_the_last_of_each_key() {
        let mut w = World::new(1);
        w.facts.topics.insert("t".into(), TopicFacts { compacted: true, ..TopicFacts::default() });
        w.client("P1").key_period.insert(0, 3);
        w.send((1, 1), 0, 9, Fate::Acked);
        if let Some(log) = w.log.get_mut(&0) {
            log.retain(|r| r.first_seq >= 6 || r.first_seq == 1);
        }
        assert_eq!((w.count(Measure::Expired), w.count(Measure::Lost)), (5, 0));
        // The newest of a key has nothing that stands for it, the one before it is still there.
        if let Some(log) = w.log.get_mut(&0) {
            log.retain(|r| r.first_seq != 7);
        }
        assert_eq!((w.count(Measure::Expired), w.count(Measure::Lost)), (4, 2));
    }

    #[test]
    fn compaction_without_known_keys_is_inconclusive() {
        let mut w = World::new(1);
        w.facts.topics.insert("t".into(), TopicFacts { compacted: true, ..TopicFacts::default() });
        w.send((1, 1), 0, 3, Fate::Acked);
        w.send((1, 1), 0, 3, Fate::Dropped);
        for measure in [Measure::Lost, Measure::Expired] {
            assert!(w.doubt(measure).0.contains("may have replaced them by compaction"));
        }
    }
}
