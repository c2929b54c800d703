//! **redelivered**: one partition and offset delivered to the group more than once; extra deliveries
//! are counted.
//!
//! A delivery's key is (partition, offset, identity): not the offset alone, because a log that was
//! rewritten delivers another message at a known offset; not the identity alone, because a duplicate
//! is at two offsets. `redelivered` is deliveries − distinct keys, over all members and lives of
//! the group. Messages without identity, or with a wrong checksum, are distinguished by offset only.
//!
//! With `since` only deliveries that were made since then.

use super::measure::measure;
use super::placement::{OffsetSpan, Placement};
use super::set::Set;

measure! {
    FACTS: Alone(|digest| digest.groups.redelivered.clone()), needs(Read),
    { back: true, by_reader: true },
    damage(Mild), "extra delivery", "extra deliveries",
    "Delivered to the group more than once; extra deliveries are counted.", make
}

/// The distinct keys delivered to a group from one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Offsets delivered with the message that the log holds there.
    pub keys: Set,
    /// Everything else: layer by layer, one message an offset in each.
    layers: Vec<(Set, Placement)>,
}

impl Seen {
    /// Takes messages that the log holds at these offsets; hands those delivered before to `again`.
    pub fn on_log(&mut self, span: &OffsetSpan, mut again: impl FnMut(OffsetSpan)) {
        if self.keys.count(span.offsets()) > 0 {
            for offset in self.keys.within(span.offsets()) {
                again(span.part(offset - span.offset, 1));
            }
        }
        self.keys.add(span.offsets());
    }

    /// Takes messages that the log does not hold (any more).
    pub fn off_log(&mut self, span: OffsetSpan, mut again: impl FnMut(OffsetSpan)) {
        let mut waiting = vec![(0, span)];
        while let Some((depth, span)) = waiting.pop() {
            if self.layers.len() <= depth {
                self.layers.push(<(Set, Placement)>::default());
            }
            let (full, place) = &mut self.layers[depth];
            if full.count(span.offsets()) == 0 {
                full.add(span.offsets());
                place.add(&span);
                continue;
            }
            let mut parts = Vec::new();
            place.compare(&span, |part, same| parts.push((part, same)));
            for (part, same) in parts {
                if same {
                    (0..part.count).for_each(|i| again(part.part(i, 1)));
                    continue;
                }
                for one in (0..part.count).map(|i| part.part(i, 1)) {
                    if full.has(one.offset) {
                        waiting.push((depth + 1, one));
                    } else {
                        full.add(one.offsets());
                        place.add(&one);
                    }
                }
            }
        }
    }

    pub fn shrink(&mut self) {
        self.keys.shrink();
        for (full, place) in &mut self.layers {
            full.shrink();
            place.shrink();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::properties::{anomalies, honest, sends};
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Given, Measure, Window};
    use crate::history::Mark;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, end| {
            w.deliver((10, 1), 0, end - 1..end);
            w.deliver((10, 1), 0, end - 1..end);
        });
    }

    #[test]
    fn every_delivery_after_the_first() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Redelivered), 0);
        w.tell((10, 2), Mark::Assigned, 0, 6);
        w.deliver((10, 2), 0, 6..10);
        w.tell((11, 1), Mark::Assigned, 0, 9);
        w.deliver((11, 1), 0, 9..10);
        assert_eq!(w.count(Measure::Redelivered), 5);
        assert_eq!(w.count(Measure::Delivered), 15);
    }

    #[test]
    fn what_another_member_was_given_before_counts_in_any_order() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Acked);
        w.read_all((11, 1));
        let moment = w.pause();
        w.read_all((10, 1));
        w.facts.window = Window::Since(moment);
        assert_eq!(w.count(Measure::Redelivered), 4);
        assert_eq!(w.count(Measure::Delivered), 4);
    }

    #[test]
    fn another_message_at_a_known_offset_is_not_one() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        w.truncate(0, 5);
        w.send((1, 1), 0, 5, Fate::Acked);
        w.deliver((10, 1), 0, 5..10);
        assert_eq!(w.count(Measure::Redelivered), 0);
        assert_eq!(w.count(Measure::Diverged), 5);
    }

    #[test]
    fn what_left_the_log_is_remembered() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        w.deliver((11, 1), 0, 2..4);
        w.expire(0, 8);
        assert_eq!(w.count(Measure::Redelivered), 2);
    }

    #[test]
    fn a_duplicate_is_delivered_once_each() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 3, Fate::Acked);
        w.append(run(Mark::Found, 0, (1, 1), 1, -1));
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Redelivered), 0);
    }

    #[test]
    fn messages_of_produce_are_delivered_once_each() {
        let mut w = World::new(1);
        for hash in [5, u64::MAX, 6] {
            w.append(run(Mark::Foreign, 0, (0, 0), hash, -1));
        }
        w.read_all((10, 1));
        w.facts.given.push(Given { topic: "t".into(), partition: Some(0), hash: 5 });
        assert_eq!(w.count(Measure::Redelivered), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn deliveries_again_are_redelivered(
            sends in sends(), from in 0i64..50, to in 0i64..80, limit in 1u64..40,
        ) {
            let mut w = honest(&sends);
            let before = w.taken.values().flatten().count() as u64;
            w.tell((11, 2), Mark::Assigned, 1, from);
            w.deliver((11, 2), 1, from..to);
            let n = w.taken.values().flatten().count() as u64 - before - 1;
            let expected: BTreeMap<_, _> =
                [(Measure::Redelivered, n)].into_iter().filter(|(_, n)| *n > 0).collect();
            prop_assert_eq!(anomalies(&w, limit), expected);
        }
    }
}
