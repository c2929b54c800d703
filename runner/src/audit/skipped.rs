//! **skipped**: a consumer's delivery on a partition jumped over visible messages that no earlier
//! delivery of the group covered.
//!
//! Within one assignment and without a reset, from the position at the assignment or after the
//! delivery before. The messages jumped over are counted: those in the log, visible at the group's
//! isolation level, that no delivery to the group until then had covered. Control records, aborted
//! messages and compacted offsets are not gaps, and offsets below the log's start have left the log.
//! A jump that touches an offset that `diverged` is not judged: the log had another content then.
//!
//! With `since` by the deliveries that were made since then.

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::groups::{Cursors, Group, consumers};
use super::input::Isolation;
use super::measure::measure;
use super::sends::File;
use super::set::Set;
use crate::history::{Mark, MessageRun};
use std::collections::HashMap;

measure! {
    FACTS: Alone(judge), needs(Read), { back: true, by_reader: true },
    damage(Loss), "message skipped", "messages skipped",
    "A consumer's delivery jumped over visible messages.", make
}

/// Jumps are judged in batches of this size, so that memory stays bounded.
const BATCH: usize = 1 << 16;

struct Jump {
    spot: Spot,
    /// The skipped offsets that no other delivery is known to have covered.
    left: Set,
    /// The offset delivered behind the jump, and when.
    landed: u64,
    time_us: i64,
}

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    for (name, group) in &digest.groups.by {
        for file in of_group(digest, name) {
            let mut cursors = Cursors::default();
            let mut jumps = Vec::new();
            for (part, run, early) in file.published() {
                let jumped = cursors.follow(part, &run);
                let spot = Spot {
                    group: Some(group.number),
                    consumer: Some(file.header().client_id),
                    ..Spot::of(part, None)
                };
                // What was delivered to another member before a delivery is known only if that delivery
                // itself was known before the histories were opened.
                if early == 0 || !digest.facts.window.shows(&run) {
                    continue;
                }
                if matches!(run.mark, Mark::Delivered | Mark::Foreign | Mark::Corrupt) {
                    book.judged(spot, run.count);
                }
                let jump = jumped.filter(|_| group.parts.get(&part).is_some_and(|t| t.jumps));
                jumps.extend(jump.and_then(|range| look(digest, group, spot, range, &run)));
                if jumps.len() >= BATCH {
                    settle(digest, name, std::mem::take(&mut jumps), &mut book);
                }
            }
            settle(digest, name, jumps, &mut book);
        }
    }
    book
}

fn of_group<'d, 'a>(digest: &'d Digest<'a>, name: &str) -> Vec<&'d File<'a>> {
    let mut files = consumers(&digest.files);
    files.retain(|f| f.header().group.as_deref().unwrap_or_default() == name);
    files
}

fn look(
    digest: &Digest<'_>,
    group: &Group,
    spot: Spot,
    range: std::ops::Range<u64>,
    run: &MessageRun,
) -> Option<Jump> {
    let log = digest.logs.get(&spot.part)?;
    let old = log.made_us.is_some_and(|made| run.last_us < made);
    let around = range.start.saturating_sub(1)..range.end + 1;
    if old || digest.groups.split.touches(spot.part, around) {
        return None;
    }
    let landed = range.end;
    let mut left = log.data.cut(range.clone());
    if group.facts.isolation == Isolation::ReadCommitted {
        left.remove(&log.hidden.cut(range));
    }
    (!left.is_empty()).then_some(Jump { spot, left, landed, time_us: run.first_us })
}

/// Removes what had been delivered to the group before each jump, and counts the rest.
fn settle(digest: &Digest<'_>, name: &str, mut jumps: Vec<Jump>, book: &mut Book) {
    if jumps.is_empty() {
        return;
    }
    let mut wanted: HashMap<LogPart, (Set, Vec<usize>)> = HashMap::new();
    for (i, jump) in jumps.iter().enumerate() {
        let (offsets, indices) = wanted.entry(jump.spot.part).or_default();
        offsets.unite(&jump.left);
        indices.push(i);
    }
    for file in of_group(digest, name) {
        for (part, run) in file.runs() {
            let Some((offsets, indices)) = wanted.get(&part) else { continue };
            let Ok(first) = u64::try_from(run.first_offset) else { continue };
            let delivered = matches!(run.mark, Mark::Delivered | Mark::Foreign | Mark::Corrupt);
            if !delivered || offsets.count(first..first + run.count) == 0 {
                continue;
            }
            for i in indices {
                if run.first_us <= jumps[*i].time_us {
                    jumps[*i].left.drop_range(first..first + run.count);
                }
            }
        }
    }
    for jump in jumps {
        let log = digest.logs.get(&jump.spot.part);
        for offset in jump.left.iter() {
            let identity = log.and_then(|log| log.place.at(offset));
            let spot = Spot { client: identity.map(|(s, _)| s.client), ..jump.spot };
            book.found(spot, 1);
            book.show(spot, || {
                let text = format!("jumped over: the delivery after it was of {}", jump.landed);
                Case { identity, text, ..Case::default() }.at(offset).when(jump.time_us)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, end| {
            w.tell((10, 1), Mark::Assigned, 0, end - 2);
            w.deliver((10, 1), 0, end - 1..end);
        });
    }

    fn log() -> World {
        let mut w = World::new(1);
        w.send((1, 1), 0, 20, Fate::Acked);
        w
    }

    #[test]
    fn jumped_over_and_delivered_to_nobody_before() {
        let mut w = log();
        w.tell((10, 1), Mark::Assigned, 0, 2);
        w.deliver((10, 1), 0, 4..10);
        w.deliver((10, 1), 0, 15..20);
        assert_eq!(w.count(Measure::Skipped), 7);
        let evidence = w.evidence(Measure::Skipped);
        assert_eq!(evidence[0].offset, Some(2));
        assert!(evidence[2].text.contains("of 15"));
        // Delivered later is skipped nevertheless.
        w.tell((11, 1), Mark::Assigned, 0, 0);
        w.deliver((11, 1), 0, 0..20);
        assert_eq!(w.count(Measure::Skipped), 7);
    }

    #[test]
    fn what_the_group_had_before_is_no_skip() {
        let mut w = log();
        w.tell((11, 1), Mark::Assigned, 0, 0);
        w.deliver((11, 1), 0, 0..12);
        w.tell((10, 1), Mark::Assigned, 0, 2);
        w.deliver((10, 1), 0, 10..20);
        assert_eq!(w.count(Measure::Skipped), 0);
    }

    #[test]
    fn resets_assignments_and_rewinds_are_no_skips() {
        let mut w = log();
        w.tell((10, 1), Mark::Assigned, 0, 0);
        w.deliver((10, 1), 0, 0..3);
        w.tell((10, 1), Mark::Reset, 0, 6);
        w.deliver((10, 1), 0, 6..8);
        w.tell((10, 1), Mark::Revoked, 0, -1);
        w.tell((10, 1), Mark::Assigned, 0, 12);
        w.deliver((10, 1), 0, 12..14);
        w.deliver((10, 1), 0, 0..20);
        assert_eq!(w.count(Measure::Skipped), 0);
    }

    #[test]
    fn gaps_in_the_log_are_no_skips() {
        let mut w = log();
        if let Some(log) = w.log.get_mut(&0) {
            log.retain(|r| r.first_offset % 3 == 0);
        }
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Skipped), 0);
    }

    #[test]
    fn a_log_that_was_rewritten_is_not_judged() {
        let mut w = log();
        w.tell((10, 1), Mark::Assigned, 0, 0);
        w.deliver((10, 1), 0, 0..5);
        w.deliver((10, 1), 0, 8..9);
        assert_eq!(w.count(Measure::Skipped), 3);
        w.truncate(0, 5);
        w.send((1, 1), 0, 10, Fate::Acked);
        assert_eq!(w.count(Measure::Skipped), 0);
        assert_eq!(w.count(Measure::Diverged), 15);
    }
}
