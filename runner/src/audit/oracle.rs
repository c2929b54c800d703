//! A second opinion for tests: the definitions once more, message by message, in plain maps.

use super::result::Measure;
use super::testing::{Who, World};
use crate::history::{Mark, Run};
use std::collections::{BTreeMap, BTreeSet};

type Id = (u32, Who, u64);

fn id(run: &Run) -> Id {
    (run.source_partition, (run.client, run.life), run.first_seq)
}

/// What a message shows: its identity, or how it lacks one.
fn face(run: &Run) -> (u8, Option<Id>) {
    match run.mark {
        Mark::Foreign => (1, None),
        Mark::Corrupt => (2, None),
        _ => (0, Some(id(run))),
    }
}

struct Known {
    sent: BTreeSet<Id>,
    /// Acknowledged, with the offset, and whether that is believed.
    acked: BTreeMap<Id, (i64, bool)>,
    failed: BTreeSet<Id>,
    aborted: BTreeSet<Id>,
    log: BTreeMap<(u32, i64), Run>,
}

fn known(w: &World) -> Known {
    let mut known = Known {
        sent: w.sent.values().flatten().map(id).collect(),
        acked: BTreeMap::new(),
        failed: BTreeSet::new(),
        aborted: BTreeSet::new(),
        log: w.log.values().flatten().map(|r| ((r.partition, r.first_offset), *r)).collect(),
    };
    for (who, heard) in &w.heard {
        let ended = |mark| heard.iter().filter(move |r| r.mark == mark).map(|r| r.epoch);
        let committed: BTreeSet<u32> = ended(Mark::Committed).collect();
        let aborted: BTreeSet<u32> = ended(Mark::Aborted).collect();
        for run in heard {
            match run.mark {
                Mark::Failed => _ = known.failed.insert(id(run)),
                Mark::Acked if run.epoch == 0 || committed.contains(&run.epoch) => {
                    known.acked.insert(id(run), (run.first_offset, run.epoch == 0));
                }
                _ => {}
            }
        }
        let sent = w.sent.get(who).into_iter().flatten();
        known.aborted.extend(sent.filter(|r| aborted.contains(&r.epoch)).map(id));
    }
    known.aborted.retain(|id| !known.failed.contains(id));
    known
}

/// The count of every measure of one topic and one group, read_committed, that has caught up, with
/// producers of `acks` 1 or all that are not idempotent.
pub(super) fn judge(w: &World) -> BTreeMap<Measure, u64> {
    let known = known(w);
    let visible: Vec<&Run> =
        known.log.iter().filter(|(at, _)| !w.hidden.contains(at)).map(|(_, r)| r).collect();
    let mut counts = of_log(w, &known, &visible);
    counts.extend(of_group(w, &known, &visible));
    counts
}

fn of_log(w: &World, known: &Known, visible: &[&Run]) -> BTreeMap<Measure, u64> {
    let mut copies: BTreeMap<Id, u64> = BTreeMap::new();
    let mut first: BTreeSet<(u32, Id)> = BTreeSet::new();
    let mut highest: BTreeMap<(u32, u32, Who), u64> = BTreeMap::new();
    let mut reordered = 0;
    for run in visible.iter().filter(|r| r.mark == Mark::Found) {
        *copies.entry(id(run)).or_default() += 1;
        let life = (run.partition, run.source_partition, (run.client, run.life));
        let max = highest.entry(life).or_insert(run.first_seq);
        reordered += u64::from(first.insert((run.partition, id(run))) && run.first_seq < *max);
        *max = run.first_seq.max(*max);
    }
    let missing = known.acked.iter().filter(|(id, _)| !copies.contains_key(id));
    let (mut lost, mut expired) = (0, 0);
    let below: BTreeSet<Id> = w
        .taken
        .values()
        .flatten()
        .filter(|r| r.mark == Mark::Delivered && r.first_offset < w.starts[&r.partition])
        .map(id)
        .collect();
    for (id, (offset, believed)) in missing {
        let partition = id.0;
        let start = w.starts[&partition];
        let spoiled = w.log[&partition].iter().any(|r| r.mark == Mark::Corrupt);
        match known.log.get(&(partition, *offset)) {
            Some(run) if run.mark == Mark::Corrupt => {}
            _ if *believed && *offset < start => expired += 1,
            _ if *believed => lost += 1,
            _ if below.contains(id) => expired += 1,
            // Nobody knows.
            _ if start > 0 || spoiled => {}
            _ => lost += 1,
        }
    }
    let found = |ids: &BTreeSet<Id>| ids.iter().filter(|id| copies.contains_key(id)).count() as u64;
    let unknown = known.sent.iter().filter(|id| {
        !known.acked.contains_key(id) && !known.failed.contains(id) && !known.aborted.contains(id)
    });
    BTreeMap::from([
        (Measure::Acked, known.acked.len() as u64),
        (Measure::Failed, known.failed.len() as u64),
        (Measure::Aborted, known.aborted.len() as u64),
        (Measure::Lost, lost),
        (Measure::Expired, expired),
        (Measure::Duplicated, copies.values().map(|n| n - 1).sum()),
        (Measure::Reordered, reordered),
        (Measure::UnexpectedSuccess, found(&known.failed) + found(&known.aborted)),
        (Measure::Unresolved, unknown.count() as u64),
    ])
}

fn of_group(w: &World, known: &Known, visible: &[&Run]) -> BTreeMap<Measure, u64> {
    let told: Vec<&Run> = w.taken.values().flatten().collect();
    let is_delivery = |r: &Run| matches!(r.mark, Mark::Delivered | Mark::Foreign | Mark::Corrupt);
    let given: Vec<&Run> = told.iter().copied().filter(|r| is_delivery(r)).collect();
    let at = |r: &Run| (r.partition, r.first_offset);
    // A wrong checksum on either side leaves the offset alone to compare.
    let same = |r: &Run| {
        known.log.get(&at(r)).is_some_and(|there| {
            r.mark == Mark::Corrupt || there.mark == Mark::Corrupt || face(there) == face(r)
        })
    };
    let mut keys = BTreeSet::new();
    for r in &given {
        keys.insert((at(r), if same(r) { (9, None) } else { face(r) }));
    }
    let covered: BTreeSet<(u32, i64)> = given.iter().filter(|r| same(r)).map(|r| at(r)).collect();
    let start = |partition: u32| {
        let told = told.iter().filter(|r| r.mark == Mark::Assigned && r.partition == partition);
        told.min_by_key(|r| r.first_us).map_or(0, |r| r.first_offset)
    };
    let undelivered = visible
        .iter()
        .filter(|r| r.first_offset >= start(r.partition) && !covered.contains(&at(r)));
    let diverged = diverged(w, known, &given, same);
    let phantom: BTreeSet<Id> = known
        .log
        .values()
        .filter(|r| r.mark == Mark::Found)
        .chain(given.iter().copied().filter(|r| r.mark == Mark::Delivered))
        .map(id)
        .filter(|id| !known.sent.contains(id))
        .collect();
    let strange: BTreeSet<(u32, i64)> = known
        .log
        .values()
        .chain(given.iter().copied())
        .filter(|r| r.mark == Mark::Foreign)
        .map(at)
        .collect();
    let corrupt: BTreeSet<(u32, i64)> = known
        .log
        .values()
        .chain(given.iter().copied())
        .filter(|r| r.mark == Mark::Corrupt)
        .map(at)
        .collect();
    let aborted: BTreeSet<(u32, i64)> = given
        .iter()
        .filter(|r| {
            same(r) && w.hidden.contains(&at(r))
                || r.mark == Mark::Delivered && known.aborted.contains(&id(r))
        })
        .map(|r| at(r))
        .collect();
    BTreeMap::from([
        (Measure::Delivered, given.len() as u64),
        (Measure::Redelivered, (given.len() - keys.len()) as u64),
        (Measure::Undelivered, undelivered.count() as u64),
        (Measure::Skipped, skipped(w, visible, &given, &diverged)),
        (Measure::Diverged, diverged.len() as u64),
        (Measure::Phantom, (phantom.len() + strange.len()) as u64),
        (Measure::Corrupted, corrupt.len() as u64),
        (Measure::AbortedRead, aborted.len() as u64),
    ])
}

fn diverged(
    w: &World,
    known: &Known,
    given: &[&Run],
    same: impl Fn(&Run) -> bool,
) -> BTreeSet<(u32, i64)> {
    let acked = w.heard.values().flatten().filter(|r| r.mark == Mark::Acked && r.epoch == 0);
    let seen = acked.chain(given.iter().copied());
    seen.filter(|r| r.first_offset >= w.starts[&r.partition])
        .filter(|r| {
            !same(&Run { mark: if r.mark == Mark::Acked { Mark::Found } else { r.mark }, ..**r })
        })
        .map(|r| (r.partition, r.first_offset))
        .filter(|at| known.log.get(at).is_none_or(|r| r.mark != Mark::Corrupt))
        .collect()
}

fn skipped(w: &World, visible: &[&Run], given: &[&Run], diverged: &BTreeSet<(u32, i64)>) -> u64 {
    let mut skipped = 0;
    for told in w.taken.values() {
        let mut next: BTreeMap<u32, i64> = BTreeMap::new();
        for run in told {
            match run.mark {
                Mark::Revoked => _ = next.remove(&run.partition),
                Mark::Assigned | Mark::Reset => _ = next.insert(run.partition, run.first_offset),
                Mark::Delivered | Mark::Foreign | Mark::Corrupt => {
                    let from = next.insert(run.partition, run.first_offset + 1);
                    let jump = from.unwrap_or(run.first_offset)..run.first_offset;
                    if (jump.start - 1..=jump.end).any(|o| diverged.contains(&(run.partition, o))) {
                        continue;
                    }
                    let before = |r: &Run| {
                        given.iter().any(|g| {
                            (g.partition, g.first_offset) == (r.partition, r.first_offset)
                                && g.first_us <= run.first_us
                        })
                    };
                    skipped += visible
                        .iter()
                        .filter(|r| r.partition == run.partition && jump.contains(&r.first_offset))
                        .filter(|r| !before(r))
                        .count() as u64;
                }
                _ => {}
            }
        }
    }
    skipped
}
